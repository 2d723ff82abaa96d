//! The menu and what images are called in it.

use std::collections::BTreeMap;

use netboot_image::ImageName;

use super::super::document::{self, Place, Table};
use super::super::field::{Field, Wanted};
use super::super::problem::Problems;
use super::super::{Build, Image, Menu, MenuAction, MenuItem};
use super::text::{check_text, check_url};
use super::{command_line, right};

const DEFAULT_TITLE: &str = "Network boot";
const DEFAULT_MENU_TIMEOUT_S: u16 = 30;

pub(super) fn resolve_menu(written: document::Menu, problems: &mut Problems) -> Menu {
    let place = &written.place;
    if let Some(title) = &written.title {
        check_text(title, place.key("title"), problems);
    }
    let items = written.items.map(|items| {
        let items = items.into_iter().enumerate();
        let items = items.filter_map(|(index, item)| {
            resolve_item(item.0, &place.index("items", index), problems)
        });
        items.collect::<Vec<_>>()
    });
    if let (Some(default), Some(items)) = (&written.default, &items)
        && !items.iter().any(|item| item.action.is_called(default))
    {
        problems.error(
            place.key("default"),
            format!("{default:?} is none of the items"),
            "name an image among the items, `local` or `shell`",
        );
    }
    let local = MenuAction::Local;
    let has_local = |items: &Vec<MenuItem>| items.iter().any(|item| item.action == local);
    let local = items.as_ref().is_none_or(has_local).then_some("local");
    Menu {
        title: written.title.unwrap_or_else(|| DEFAULT_TITLE.into()),
        default: written.default.or_else(|| local.map(str::to_owned)),
        timeout_s: right(written.timeout, place.key("timeout"), problems)
            .map_or(DEFAULT_MENU_TIMEOUT_S, |timeout| timeout.0),
        unknown: right(written.unknown, place.key("unknown"), problems).unwrap_or_default(),
        items,
    }
}

impl MenuAction {
    /// Whether `menu.default` means this item by the name. Those of the local disk and of the shell
    /// mean no image that is called so.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        match self {
            Self::Image(image) => image.as_str() == name && menu_word(name).is_none(),
            Self::Chain(url) => url == name,
            Self::Local => name == "local",
            Self::Shell => name == "shell",
        }
    }
}

/// Says so where the menu names an image that it is to leave out.
pub(super) fn check_hidden(
    menu: &Menu,
    images: &BTreeMap<ImageName, Image>,
    place: &Place,
    problems: &mut Problems,
) {
    let mut check = |named: &str, place: Place| {
        let image = images.iter().find(|(name, _)| name.as_str() == named);
        if image.is_some_and(|(_, image)| image.hidden) {
            problems.error(
                place,
                format!("image {named} is left out of the menu by its own `menu = false`"),
                "take that out, or name another image",
            );
        }
    };
    let items = menu.items.iter().flatten().enumerate();
    for (index, item) in items {
        if let MenuAction::Image(image) = &item.action {
            check(image.as_str(), place.index("items", index).key("image"));
        }
    }
    let default = menu.default.as_deref();
    let default = default.filter(|name| menu_word(name).is_none());
    if let Some(default) = default.filter(|_| menu.items.is_none()) {
        check(default, place.key("default"));
    }
}

/// What a name means in `menu.default` that is no image's.
fn menu_word(name: &str) -> Option<&'static str> {
    match name {
        "local" => Some("the local disk"),
        "shell" => Some("the shell"),
        _ => None,
    }
}

/// Why an image of this name cannot be named as the default of the menu; `None` where it can.
#[must_use]
pub fn never_default(image: &ImageName) -> Option<String> {
    let meant = menu_word(image.as_str())?;
    Some(format!(
        "image {image} cannot be the default of the menu: `{image}` means {meant} there"
    ))
}

pub(super) fn resolve_item(
    written: document::MenuItem,
    place: &Place,
    problems: &mut Problems,
) -> Option<MenuItem> {
    let document::MenuItem {
        label,
        image,
        chain,
        local,
        shell,
    } = written;
    if let Some(label) = &label {
        check_text(label, place.key("label"), problems);
    }
    let mut is = |given: Option<Field<bool>>, key| match given {
        Some(given) => given.check(place.key(key), problems),
        None => Some(false),
    };
    let (local, shell) = (is(local, "local")?, is(shell, "shell")?);
    let kinds = [image.is_some(), chain.is_some(), local, shell];
    if kinds.iter().filter(|is| **is).count() != 1 {
        problems.error(
            place,
            "does not say one thing to do",
            "write exactly one of `image`, `chain`, `local = true` and `shell = true`",
        );
        return None;
    }
    let action = match (image, chain, local) {
        (Some(image), _, _) => MenuAction::Image(image.check(place.key("image"), problems)?),
        (None, Some(url), _) => {
            check_url(&url, place.key("chain"), problems);
            MenuAction::Chain(url)
        }
        (None, None, true) => MenuAction::Local,
        (None, None, false) => MenuAction::Shell,
    };
    Some(MenuItem { label, action })
}

pub(super) fn resolve_images(
    written: BTreeMap<String, Table<document::Image>>,
    problems: &mut Problems,
) -> BTreeMap<ImageName, Image> {
    let mut images = BTreeMap::new();
    for (name, Table(image)) in written {
        let place = &image.place;
        if let Some(label) = &image.label {
            check_text(label, place.key("label"), problems);
        }
        let cmdline = command_line(image.cmdline, place, problems);
        let build = resolve_build(image.nix, image.flake, place, problems);
        let shown = right(image.menu, place.key("menu"), problems);
        match name.parse::<ImageName>() {
            Ok(name) => {
                let label = image.label;
                let image = Image {
                    label,
                    cmdline,
                    build,
                    hidden: shown == Some(false),
                };
                images.insert(name, image);
            }
            Err(error) => problems.error(
                place,
                format!("{name:?} is no image name: {error}"),
                format!("write {}", ImageName::WANTED),
            ),
        }
    }
    images
}

fn resolve_build(
    nix: Option<String>,
    flake: Option<String>,
    place: &Place,
    problems: &mut Problems,
) -> Option<Build> {
    match (nix, flake) {
        (None, None) => None,
        (Some(_), Some(_)) => {
            problems.error(
                place,
                "is built from a file and from a flake, too",
                "write one of `nix` and `flake`",
            );
            None
        }
        (Some(file), None) if file.is_empty() || file.contains(char::is_control) => {
            problems.error(
                place.key("nix"),
                format!("{file:?} is no path"),
                "write the path of a NixOS configuration such as \"configs/workstation.nix\"",
            );
            None
        }
        (Some(file), None) => Some(Build::Nix(file.into())),
        (None, Some(flake)) => {
            let attribute = flake.split_once('#').is_some_and(|(of, attribute)| {
                !of.is_empty() && !of.starts_with('-') && !attribute.is_empty()
            });
            if !attribute || flake.contains(char::is_control) {
                problems.error(
                    place.key("flake"),
                    format!("{flake:?} names no configuration of a flake"),
                    "write such as \"github:me/machines#nixosConfigurations.workstation\"",
                );
                return None;
            }
            Some(Build::Flake(flake))
        }
    }
}
