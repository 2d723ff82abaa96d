//! From files to one document: syntax, types of tables, and keys that nobody knows.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::document::{
    Group, Image, Menu, MenuItem, Netboot, Network, Place, Range, Server, Target,
};
use super::problem::Problems;

/// Reads one file by its ending: `.json`, else TOML. `None` where nothing of it could be read, and
/// `problems` says why.
pub(super) fn read_file(path: &Path, problems: &mut Problems) -> Option<Netboot> {
    let file = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            problems.error(
                file,
                format!("cannot be read: {error}"),
                "name a file that exists with --config, and that this user may read",
            );
            return None;
        }
    };
    let json = path.extension().is_some_and(|ending| ending == "json");
    read_text(&file.to_string(), &text, json, problems)
}

/// Reads the text of one file; `name` is how problems call it.
pub(super) fn read_text(
    name: &str,
    text: &str,
    json: bool,
    problems: &mut Problems,
) -> Option<Netboot> {
    let parsed: Result<Value, String> = if json {
        serde_json::from_str(text).map_err(|error| error.to_string())
    } else {
        toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
    };
    let document = match parsed {
        Ok(Value::Object(document)) => document,
        Ok(other) => {
            problems.error(
                name,
                format!("holds {other} and no table"),
                "write a table with the key `netboot`",
            );
            return None;
        }
        Err(why) => {
            let language = if json { "JSON" } else { "TOML" };
            problems.error(
                name,
                format!("is not {language}: {why}"),
                "correct it there; a file whose name ends in .json is read as JSON, any other as TOML",
            );
            return None;
        }
    };
    let mut netboot = None;
    for (key, value) in document {
        match key.as_str() {
            "netboot" => netboot = Some(value),
            "version" => {
                if value
                    .as_str()
                    .is_none_or(|version| !version.starts_with("1."))
                {
                    problems.error(
                        format!("{name}: version"),
                        format!("{value} is not a version that this program reads"),
                        "write \"1.0\"",
                    );
                }
            }
            _ => problems.note(
                format!("{name}: {key}"),
                "is not netboot's and is passed over",
            ),
        }
    }
    let Some(netboot) = netboot else {
        problems.error(
            name,
            "has no key `netboot`",
            "put the configuration under `netboot`",
        );
        return None;
    };
    let place = format!("{name}: netboot");
    read_netboot(&place, netboot, problems)
}

fn read_netboot(place: &str, value: Value, problems: &mut Problems) -> Option<Netboot> {
    let mut unknown = Vec::new();
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(value, &mut track);
    let read: Result<Netboot, _> = serde_ignored::deserialize(tracked, |path| {
        unknown.push(KeyPath::of(&path));
    });
    for key in unknown {
        let near = key.nearest();
        problems.error(
            format!("{place}.{}", key.shown),
            "no such key is known",
            match near {
                Some(near) => format!("did you mean `{near}`? else remove it"),
                None => "remove it".into(),
            },
        );
    }
    match read {
        Ok(mut netboot) => {
            netboot.set_places(place);
            Some(netboot)
        }
        Err(error) => {
            let path = track.path().to_string();
            problems.error(
                format!("{place}.{path}"),
                error.to_string(),
                "see `netboot check --print` for how each table is written",
            );
            None
        }
    }
}

impl Netboot {
    fn set_places(&mut self, place: &str) {
        self.place = Place(place.into());
        if let Some(server) = &mut self.server {
            server.place = self.place.key("server");
        }
        for (index, network) in self.networks.iter_mut().enumerate() {
            network.place = self.place.index("networks", index);
        }
        for (index, target) in self.targets.iter_mut().enumerate() {
            target.place = self.place.index("targets", index);
        }
    }

    /// Adds what a later file says: its tables win, its lists go behind.
    pub(super) fn merge(&mut self, later: Self) {
        let Self {
            place,
            state_dir,
            server,
            networks,
            ports,
            menu,
            images,
            groups,
            targets,
        } = later;
        self.place = place;
        self.state_dir = state_dir.or(self.state_dir.take());
        self.server = server.or(self.server.take());
        self.ports = ports.or(self.ports.take());
        self.networks.extend(networks);
        if menu != Menu::default() {
            self.menu = menu;
        }
        self.images.extend(images);
        self.groups.extend(groups);
        self.targets.extend(targets);
    }
}

/// The way to a key that nobody knows.
struct KeyPath {
    /// `targets[1].mca`.
    shown: String,
    /// The tables on the way, list positions and names of images and groups left out.
    tables: Vec<String>,
    key: String,
}

impl KeyPath {
    fn of(path: &serde_ignored::Path<'_>) -> Self {
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

    fn nearest(&self) -> Option<String> {
        let tables: Vec<&str> = self.tables.iter().map(String::as_str).collect();
        let known = match tables.as_slice() {
            [] => keys::<Netboot>(),
            ["server"] => keys::<Server>(),
            ["networks"] => keys::<Network>(),
            ["server", "dhcp_range"] | ["networks", "ranges"] => keys::<Range>(),
            ["menu"] => keys::<Menu>(),
            ["menu", "items"] => keys::<MenuItem>(),
            ["images", _] => keys::<Image>(),
            ["groups", _] => keys::<Group>(),
            ["targets"] => keys::<Target>(),
            _ => Vec::new(),
        };
        known
            .into_iter()
            .map(|name| (strsim::damerau_levenshtein(&self.key, &name), name))
            .filter(|(distance, name)| *distance <= 1 + name.len() / 3)
            .min()
            .map(|(_, name)| name)
    }
}

/// The keys that a table knows, read off its type.
fn keys<T: Default + Serialize>() -> Vec<String> {
    match serde_json::to_value(T::default()) {
        Ok(Value::Object(map)) => map.into_iter().map(|(key, _)| key).collect(),
        _ => Vec::new(),
    }
}
