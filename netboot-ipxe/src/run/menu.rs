//! Menus and forms as a script puts them together. To iPXE both are the same until they are shown.

use alloc::{string::String, vec::Vec};

use super::{
    Effect, End, Flow, FormField, MAX_HELD, MAX_MENUS, MenuItem, Pending, Run, command::Given,
    settings::is_known_type,
};
use crate::setting::Setting;

/// A menu, or a form.
#[derive(Debug, Clone)]
pub(super) struct Menu {
    name: Option<String>,
    title: String,
    items: Vec<MenuItem>,
    /// For each item, whether a form hides its value.
    secret: Vec<bool>,
    default: Option<String>,
}

impl Run {
    pub(super) fn menu(&mut self, given: &Given<'_>) -> bool {
        let name = given.value("name");
        self.menus.retain(|menu| menu.name != name);
        if !given.flag("delete") && self.menus.len() < MAX_MENUS {
            let title = given.rest(0);
            self.menus.push(Menu {
                name,
                title,
                items: Vec::new(),
                secret: Vec::new(),
                default: None,
            });
        }
        true
    }

    pub(super) fn item(&mut self, given: &Given<'_>) -> bool {
        let menu = given.value("menu").or_else(|| given.value("form"));
        let Some(menu) = self.menus.iter_mut().find(|known| known.name == menu) else {
            return false;
        };
        if menu.items.len() >= MAX_HELD {
            return false;
        }
        let gap = given.flag("gap");
        let name = given.word(0).filter(|_| !gap).map(String::from);
        if given.flag("default") {
            menu.default.clone_from(&name);
        }
        let text = given.rest(usize::from(!gap));
        let key = given.value("key");
        menu.items.push(MenuItem { name, text, key });
        menu.secret.push(given.flag("secret"));
        true
    }

    pub(super) fn choose(&mut self, given: &Given<'_>) -> Flow {
        let name = given.value("menu");
        let Some(timeout_ms) = given.number("timeout") else {
            return Flow::Done(false);
        };
        let Some(menu) = self.taken(name.as_ref(), given.flag("keep")) else {
            return Flow::Done(false);
        };
        let names: Vec<String> = menu
            .items
            .iter()
            .filter_map(|item| item.name.clone())
            .collect();
        if names.is_empty() {
            return Flow::Done(false);
        }
        let default = given
            .value("default")
            .or(menu.default)
            .filter(|name| names.contains(name));
        let setting = given.word(0).unwrap_or_default().into();
        Flow::Ask(
            Effect::Choose {
                title: menu.title,
                items: menu.items,
                default,
                timeout_ms,
            },
            Pending::Chosen { setting, names },
        )
    }

    /// Shows a form; fails where it has no field, or one whose name is none.
    pub(super) fn present(&mut self, given: &Given<'_>) -> Flow {
        let name = given.value("form");
        let Some(form) = self.taken(name.as_ref(), given.flag("keep")) else {
            return Flow::Done(false);
        };
        let settings = &self.settings;
        let fields = form.items.into_iter().zip(form.secret);
        let fields = fields.map(|(item, secret)| FormField {
            value: item
                .name
                .as_deref()
                .map_or_else(String::new, |name| settings.text(name)),
            setting: item.name,
            text: item.text,
            secret,
        });
        let fields: Vec<FormField> = fields.collect();
        let mut names = fields
            .iter()
            .filter_map(|field| field.setting.as_deref())
            .peekable();
        let any = names.peek().is_some();
        if !any || !names.all(|name| Setting::parse(name).is_ok_and(|s| is_known_type(&s))) {
            return Flow::Done(false);
        }
        Self::form(form.title, fields)
    }

    /// Writes what a form was given; shows it again where not all of it can be written.
    pub(super) fn filled(
        &mut self,
        title: String,
        mut fields: Vec<FormField>,
        texts: Vec<String>,
    ) -> Flow {
        if !self.step() {
            return Flow::End(End::Unbounded);
        }
        let mut texts = texts.into_iter();
        let mut all = true;
        for field in &mut fields {
            let Some(setting) = &field.setting else {
                continue;
            };
            if let Some(text) = texts.next() {
                field.value = text;
            }
            all &= self.settings.store(setting, &field.value);
        }
        if all {
            Flow::Done(true)
        } else {
            Self::form(title, fields)
        }
    }

    fn form(title: String, fields: Vec<FormField>) -> Flow {
        let effect = Effect::Form {
            title: title.clone(),
            fields: fields.clone(),
        };
        Flow::Ask(effect, Pending::Form { title, fields })
    }

    /// The menu of that name, which is forgotten unless it is kept.
    fn taken(&mut self, name: Option<&String>, keep: bool) -> Option<Menu> {
        let at = self
            .menus
            .iter()
            .position(|menu| menu.name.as_ref() == name)?;
        if keep {
            self.menus.get(at).cloned()
        } else {
            Some(self.menus.remove(at))
        }
    }
}
