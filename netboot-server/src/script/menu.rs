//! The menu, each item by itself: one that cannot be written becomes a notice.

use netboot_ipxe::{Action, Chain, Item, Menu};

use super::entry::{entry, image_label};
use super::{Asker, missing, unwritable};
use crate::config::{MenuAction, MenuItem};
use crate::policy::Decision;
use crate::world::World;

pub(super) fn menu(world: &World, decision: &Decision, asker: &Asker<'_>) -> Menu {
    let settings = &world.config().menu;
    let items = world.menu_items();
    let default = world.default_item(&items);
    let mut menu = Menu::new(settings.title.as_str());
    for (index, item) in items.iter().enumerate() {
        // The default may be named once only, and an image may stand in a menu twice.
        let name = format!("{index} {}", action_name(&item.action));
        if default == Some(index) {
            menu = menu
                .default_item(name.clone())
                .timeout_ms(u32::from(settings.timeout_s).saturating_mul(1000));
        }
        menu = menu.item(menu_item(world, item, name, decision, asker));
    }
    menu
}

fn action_name(action: &MenuAction) -> &str {
    match action {
        MenuAction::Image(image) => image.as_str(),
        MenuAction::Chain(url) => url,
        MenuAction::Local => "local",
        MenuAction::Shell => "shell",
    }
}

fn menu_item(
    world: &World,
    item: &MenuItem,
    name: String,
    decision: &Decision,
    asker: &Asker<'_>,
) -> Item {
    let label = |default: &str| item.label.clone().unwrap_or_else(|| default.to_owned());
    let made = match &item.action {
        MenuAction::Image(image) => {
            let (text, action) = match world.image(image) {
                Some(manifest) => (
                    label(image_label(world, manifest)),
                    entry(world, manifest, decision.target_in(world), asker, None).into(),
                ),
                None => (
                    format!("{} (not in the store)", label(image.as_str())),
                    Action::Notice(missing(world, image)),
                ),
            };
            Item::new(&name, text, action)
        }
        MenuAction::Chain(url) => {
            let text = label(url);
            Item::new(
                &name,
                text.as_str(),
                Action::Chain(Chain::new(text.as_str(), url.as_str())),
            )
        }
        MenuAction::Local => Item::new(
            &name,
            label("Boot from the local disk"),
            Action::LocalDisk(decision.local),
        ),
        MenuAction::Shell => Item::shell(&name, label("iPXE shell")),
    };
    // One item that cannot be written must not take the menu with it.
    match Menu::new("")
        .item(made.clone())
        .script()
        .and_then(|script| script.render())
    {
        Ok(_) => made,
        Err(error) => Item::new(
            &name,
            format!(
                "{} (cannot be written)",
                action_name(&item.action).escape_debug()
            ),
            Action::Notice(unwritable(
                "This item of the menu cannot be written as an iPXE script.",
                &error,
            )),
        ),
    }
}
