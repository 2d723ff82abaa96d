//! What the menu offers, and what is taken when nobody chooses.

use std::borrow::Cow;

use super::World;
use crate::config::{MenuAction, MenuItem};

impl World {
    /// The items of the menu in order: those of the configuration, else each image by name that is
    /// not hidden, the local disk and the shell.
    #[must_use]
    pub fn menu_items(&self) -> Cow<'_, [MenuItem]> {
        if let Some(items) = &self.config.menu.items {
            return Cow::Borrowed(items);
        }
        let images = self.images.keys().filter(|image| {
            let settings = self.config.images.get(*image);
            settings.is_none_or(|settings| !settings.hidden)
        });
        images
            .cloned()
            .map(MenuAction::Image)
            .chain([MenuAction::Local, MenuAction::Shell])
            .map(MenuItem::from)
            .collect()
    }

    /// The position of the item that is taken when nobody chooses: the configured one, or the local
    /// disk where the configured one is no item or an image that is not in the store. `None` where
    /// there is neither: then the menu waits.
    #[must_use]
    pub fn default_item(&self, items: &[MenuItem]) -> Option<usize> {
        let named = self.config.menu.default.as_deref();
        let is_named = |item: &MenuItem| {
            let is_absent =
                matches!(&item.action, MenuAction::Image(image) if self.image(image).is_none());
            named.is_some_and(|name| item.action.is_called(name)) && !is_absent
        };
        let is_local = |item: &MenuItem| item.action == MenuAction::Local;
        items
            .iter()
            .rposition(is_named)
            .or_else(|| items.iter().rposition(is_local))
    }
}
