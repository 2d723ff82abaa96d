//! Keys of a document that nobody knows, and the nearest ones that are known.

use serde::Serialize;
use serde_json::Value;

use super::document::{
    Document, Group, Image, Install, Menu, MenuItem, Network, Ports, Range, Server, Target, Tftp,
    Tls,
};
use super::nearest::or_nearest;

/// The way to a key that nobody knows.
pub(super) struct KeyPath {
    /// `targets[1].mca`.
    pub(super) shown: String,
    /// The tables on the way, list positions and names of images and groups left out.
    tables: Vec<String>,
    key: String,
}

impl KeyPath {
    pub(super) fn of(path: &serde_ignored::Path<'_>) -> Self {
        use serde_ignored::Path;
        match path {
            Path::Root => Self {
                shown: String::new(),
                tables: Vec::new(),
                key: String::new(),
            },
            Path::Seq { parent, index } => {
                let mut of = Self::of(parent);
                of.shown.push_str(&format!("[{index}]"));
                of
            }
            Path::Map { parent, key } => {
                let mut of = Self::of(parent);
                if !of.shown.is_empty() {
                    of.shown.push('.');
                }
                of.shown.push_str(key);
                if !of.key.is_empty() {
                    let table = std::mem::take(&mut of.key);
                    of.tables.push(table);
                }
                of.key.clone_from(key);
                of
            }
            Path::Some { parent }
            | Path::NewtypeStruct { parent }
            | Path::NewtypeVariant { parent } => Self::of(parent),
        }
    }

    /// What to do about it: the known key that it was perhaps meant to be, or none.
    pub(super) fn cure(&self) -> String {
        let tables: Vec<&str> = self.tables.iter().map(String::as_str).collect();
        let known = match tables.as_slice() {
            [] => keys::<Document>(),
            ["server"] => keys::<Server>(),
            ["networks"] => keys::<Network>(),
            ["server", "dhcp_range"] | ["networks", "ranges"] => keys::<Range>(),
            ["ports"] => keys::<Ports>(),
            ["tftp"] => keys::<Tftp>(),
            ["tls"] => keys::<Tls>(),
            ["menu"] => keys::<Menu>(),
            ["menu", "items"] => keys::<MenuItem>(),
            ["images", _] => keys::<Image>(),
            ["groups", _] => keys::<Group>(),
            ["targets"] => keys::<Target>(),
            ["targets", "install"] | ["groups", _, "install"] => keys::<Install>(),
            _ => Vec::new(),
        };
        or_nearest(&self.key, known.iter().map(String::as_str), "remove it")
    }
}

/// The keys that a table knows, read off its type.
fn keys<T: Default + Serialize>() -> Vec<String> {
    match serde_json::to_value(T::default()) {
        Ok(Value::Object(map)) => map.into_iter().map(|(key, _)| key).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_stands_in_the_readme_in_the_row_of_its_table() {
        let readme = include_str!("../../README.md");
        let row = |name: &str| {
            let begins = format!("| `{name}");
            let row = readme.lines().find(|line| line.starts_with(&begins));
            row.unwrap_or_else(|| panic!("no row of {name}"))
        };
        let tables = [
            ("server", keys::<Server>()),
            ("server", keys::<Range>()),
            ("networks[]", keys::<Network>()),
            ("networks[]", keys::<Range>()),
            ("targets[]", keys::<Target>()),
            ("groups.NAME", keys::<Group>()),
            ("install", keys::<Install>()),
            ("images.NAME", keys::<Image>()),
            ("menu", keys::<Menu>()),
            ("menu", keys::<MenuItem>()),
            ("tls", keys::<Tls>()),
            ("ports", keys::<Ports>()),
            ("tftp", keys::<Tftp>()),
        ];
        for (name, keys) in tables {
            assert!(!keys.is_empty(), "{name}");
            for key in keys {
                let row = row(name);
                let told = [format!("`{key}`"), format!("`{key}[]`")];
                assert!(
                    told.iter().any(|it| row.contains(it)),
                    "{name}: {key}\n{row}"
                );
            }
        }
        for key in keys::<Document>() {
            row(&key);
        }
    }

    #[test]
    fn each_key_is_an_option_of_the_nixos_module() {
        let module = include_str!("../../dist/nixos/settings.nix");
        let table = |name: &str| {
            let begins = format!("\n  {name} = ");
            let (_, rest) = module.split_once(&begins).expect("the table");
            rest.split("\n\n").next().expect("its end")
        };
        let tables = [
            (&["netboot"][..], keys::<Document>()),
            (&["network"], keys::<Network>()),
            (&["range"], keys::<Range>()),
            (&["target", "boot"], keys::<Target>()),
            (&["boot"], keys::<Group>()),
            (&["install"], keys::<Install>()),
            (&["image"], keys::<Image>()),
            (&["menu"], keys::<Menu>()),
            (&["menuItem"], keys::<MenuItem>()),
            (&["tls"], keys::<Tls>()),
            (&["ports"], keys::<Ports>()),
            (&["tftp"], keys::<Tftp>()),
        ];
        for (names, keys) in tables {
            let lines: Vec<_> = names.iter().flat_map(|name| table(name).lines()).collect();
            for key in keys {
                // The short form of one network, and the user, whom systemd makes it.
                let is_for_files = names == ["netboot"] && ["server", "user"].contains(&&*key);
                let said = [
                    format!("{key} = "),
                    format!("\"{key}\" = "),
                    format!("inherit {key};"),
                ];
                let begins = |line: &&str| said.iter().any(|it| line.trim().starts_with(it));
                assert!(is_for_files || lines.iter().any(begins), "{names:?}: {key}");
            }
        }
    }
}
