//! A menu's section, and those of its items.

use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    arg::Arg,
    command::{ChooseCommand, Command, ItemCommand},
    entry::Action,
    error::{RenderError, RenderProblem, brief},
    menu::{Cancel, Item, Menu, Row},
};

use super::{Assembly, GAVE_UP, Place, labels::slug, setting};

impl Assembly {
    pub(super) fn menu(
        &mut self,
        menu: &Menu,
        place: &Place,
        label: &str,
        parent: Option<&str>,
    ) -> Result<(), RenderError> {
        place.shown("title", &menu.title)?;
        let items: Vec<(&Item, String)> = menu
            .rows
            .iter()
            .filter_map(|row| match row {
                Row::Item(item) => Some(&**item),
                Row::Gap(_) => None,
            })
            .map(|item| {
                (
                    item,
                    self.labels.unique(&format!("item-{}", slug(&item.name))),
                )
            })
            .collect();
        check_items(&items, place)?;
        let default = match &menu.default {
            None => None,
            Some(name) => {
                let found = items.iter().find(|(item, _)| item.name == *name);
                let (_, label) = found.ok_or_else(|| {
                    place.error(
                        &format!("default `{}`", brief(name)),
                        RenderProblem::UnknownItem,
                    )
                })?;
                Some(label.as_str())
            }
        };
        if parent.is_none() {
            self.script.label(label);
        }
        self.script
            .set(&setting("menu-home"), label)
            .menu(menu.title.clone());
        self.rows(menu, &items, place)?;
        if let Some(parent) = parent {
            self.script.item(ItemCommand::new(parent, "Back"));
        }
        let cancelled = self.labels.unique(&format!("{label}-cancelled"));
        let timed = parent.is_none() && menu.timeout_ms.is_some();
        self.script
            .choose(ChooseCommand {
                default: default.map(Arg::from),
                timeout_ms: timed.then(|| setting("menu-timeout").into()),
                ..ChooseCommand::new("menu-choice")
            })
            .or_goto(&cancelled);
        self.no_more_timeout(timed);
        self.script.goto(setting("menu-choice")).label(&cancelled);
        self.no_more_timeout(timed);
        match (parent, menu.cancel) {
            (Some(parent), _) => {
                self.script.goto(parent);
            }
            (None, Cancel::Again) => {
                self.script.goto(label);
            }
            (None, Cancel::Shell) => self.shell(label),
            (None, Cancel::Exit(status)) => {
                self.script.exit(status);
            }
        }
        for (item, item_label) in &items {
            self.item(item, item_label, label)?;
        }
        Ok(())
    }

    fn rows(
        &mut self,
        menu: &Menu,
        items: &[(&Item, String)],
        place: &Place,
    ) -> Result<(), RenderError> {
        let mut labels = items.iter().map(|(_, label)| label.as_str());
        for row in &menu.rows {
            match row {
                Row::Gap(text) => {
                    place.shown("gap", text)?;
                    self.script.item(ItemCommand::gap(text.clone()));
                }
                Row::Item(item) => {
                    Place::item(&item.name).shown("text", &item.text)?;
                    // Without a text, iPXE would take the item for a gap.
                    let text = if item.text.is_empty() {
                        item.name.as_str().into()
                    } else {
                        item.text.clone()
                    };
                    Place::item(&item.name).shown("name", &text)?;
                    self.script.item(ItemCommand {
                        key: item.key.map(|key| key.to_string().into()),
                        name: labels.next().map(Arg::from),
                        text,
                        ..ItemCommand::default()
                    });
                }
            }
        }
        Ok(())
    }

    fn no_more_timeout(&mut self, timed: bool) {
        if timed {
            self.script.set(&setting("menu-timeout"), "0");
        }
    }

    /// The section of an item of the menu at `home`.
    fn item(&mut self, item: &Item, label: &str, home: &str) -> Result<(), RenderError> {
        let place = &Place::item(&item.name);
        self.script.label(label);
        match &item.action {
            Action::Linux(linux) => self.linux(linux, place, label)?,
            Action::Chain(chain) => self.chain(chain, place, label, Some(home))?,
            Action::Disc(disc) => self.disc(disc, place, label)?,
            Action::LocalDisk(disk) => self.local_disk(*disk),
            Action::Shell => self.shell(home),
            Action::Notice(notice) => self.notice(notice, place)?,
            Action::Menu(below) => self.menu(below, place, label, Some(home))?,
            Action::Reboot => {
                self.script
                    .command(Command::Reboot { warm: false })
                    .or_nothing()
                    .goto(GAVE_UP);
            }
            Action::Exit(status) => {
                self.script.exit(*status);
            }
        }
        Ok(())
    }

    fn shell(&mut self, home: &str) {
        self.script
            .echo("Type exit to go back to the menu.")
            .shell()
            .or_nothing()
            .goto(home);
    }
}

fn check_items(items: &[(&Item, String)], place: &Place) -> Result<(), RenderError> {
    if items.is_empty() {
        return Err(place.error("items", RenderProblem::NoItem));
    }
    let mut names = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for (item, _) in items {
        let place = Place::item(&item.name);
        if !names.insert(item.name.as_str()) {
            return Err(place.error("name", RenderProblem::Duplicate));
        }
        let Some(key) = item.key else { continue };
        if !key.is_ascii_graphic() {
            return Err(place.error("key", RenderProblem::Character(key)));
        }
        if !keys.insert(key) {
            return Err(place.error(&format!("key `{key}`"), RenderProblem::Duplicate));
        }
    }
    Ok(())
}
