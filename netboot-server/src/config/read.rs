//! From files to one document: syntax, and types of tables.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::path::Path;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::document::{Document, Place, Table};
use super::keys::KeyPath;
use super::problem::Problems;
use crate::files;

/// Reads one file by its ending: `.json`, else TOML. `None` where nothing of it could be read, and
/// `problems` says why.
pub(super) fn read_file(path: &Path, problems: &mut Problems) -> Option<Document> {
    let file = path.display();
    let text = match read_text_file(path) {
        Ok(text) => text,
        Err(error) => {
            let cure = match error.kind() {
                ErrorKind::InvalidData => "write it as text in UTF-8",
                ErrorKind::FileTooLarge => "name the configuration with --config",
                _ => "name a file that exists with --config, and that this user may read",
            };
            problems.error(file, format!("cannot be read: {error}"), cure);
            return None;
        }
    };
    let json = path.extension().is_some_and(|ending| ending == "json");
    read_text(&file.to_string(), &text, json, problems)
}

fn read_text_file(path: &Path) -> io::Result<String> {
    let text = files::read_stream(path)?;
    String::from_utf8(text).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

/// Reads the text of one file; `name` is how problems call it.
pub(super) fn read_text(
    name: &str,
    text: &str,
    json: bool,
    problems: &mut Problems,
) -> Option<Document> {
    // Some editors put one there.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parsed: Result<Value, String> = if json {
        serde_json::from_str(text)
            .map(|Unique(document)| document)
            .map_err(|error| error.to_string())
    } else {
        toml::from_str(text)
            .map(|table: toml::Table| Value::Object(table.into_iter().map(as_json).collect()))
            .map_err(|error| error.to_string().trim_end().to_owned())
    };
    let document = match parsed {
        Ok(Value::Object(document)) => document,
        Ok(_) => {
            problems.error(
                name,
                "holds no table",
                "write a table with the key `netboot`",
            );
            return None;
        }
        Err(why) => {
            let language = if json { "JSON" } else { "TOML" };
            problems.error(
                name,
                format!("is not {language}: {why}"),
                "correct it there; a file whose name ends in .json is read as JSON, any other as \
                 TOML",
            );
            return None;
        }
    };
    problems.read_lines(name, text, json);
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
    read_netboot(&place, netboot, json, problems)
}

/// A JSON value none of whose tables has a key twice; a later one would replace the first without a
/// word.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_bool<E>(self, is: bool) -> Result<Value, E> {
                Ok(is.into())
            }

            fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
                Ok(number.into())
            }

            fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
                Ok(number.into())
            }

            fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
                Ok(number.into())
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(text.into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(Unique(item)) = items.next_element()? {
                    list.push(item);
                }
                Ok(list.into())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
                let mut table = serde_json::Map::new();
                while let Some((key, Unique(value))) = entries.next_entry::<String, _>()? {
                    if table.contains_key(&key) {
                        let twice = format!("the key `{key}` stands twice");
                        return Err(serde::de::Error::custom(twice));
                    }
                    table.insert(key, value);
                }
                Ok(table.into())
            }
        }
        deserializer.deserialize_any(Any).map(Self)
    }
}

/// A key of TOML as JSON has it; dates and times become text.
fn as_json((key, value): (String, toml::Value)) -> (String, Value) {
    (key, json_of(value))
}

fn json_of(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(is) => is.into(),
        toml::Value::Datetime(when) => Value::String(when.to_string()),
        toml::Value::Array(list) => list.into_iter().map(json_of).collect(),
        toml::Value::Table(table) => Value::Object(table.into_iter().map(as_json).collect()),
    }
}

/// Reads what can be read. A value of the wrong type is told and taken out, and the rest is read
/// again, so that one run tells of everything.
fn read_netboot(
    place: &str,
    mut value: Value,
    json: bool,
    problems: &mut Problems,
) -> Option<Document> {
    loop {
        let mut unknown = Vec::new();
        let mut track = serde_path_to_error::Track::new();
        let tracked = serde_path_to_error::Deserializer::new(&value, &mut track);
        let read: Result<Table<Document>, _> = serde_ignored::deserialize(tracked, |path| {
            unknown.push(KeyPath::of(&path));
        });
        match read {
            Ok(Table(mut netboot)) => {
                for key in unknown {
                    problems.error(
                        format!("{place}.{}", key.shown),
                        "no such key is known",
                        key.cure(),
                    );
                }
                netboot.stand_at(place, problems);
                return Some(netboot);
            }
            Err(error) => {
                let path = track.path();
                let why = error.to_string();
                let wanted = wanted(&why).to_owned();
                let shown = match path.iter().len() {
                    0 => place.to_owned(),
                    _ => format!("{place}.{path}"),
                };
                let wrong = value_at(&value, &path);
                let cure = wrong.and_then(|wrong| form(&path, wrong, &wanted, json));
                let cure = cure.unwrap_or_else(|| format!("write {wanted}, or leave it out"));
                problems.unread(shown, why, cure);
                let rest = if wanted == "a table" {
                    Some(Value::Object(serde_json::Map::new()))
                } else {
                    None
                };
                take_out(&mut value, &path, rest)?;
            }
        }
    }
}

/// What should stand in place of a value of the wrong type, out of serde's text for it.
fn wanted(why: &str) -> &str {
    match why.rsplit_once("expected ").map(|(_, wanted)| wanted) {
        Some("a sequence") => "a list",
        Some("a map") => "a table",
        Some("a boolean") => "true or false",
        Some("a string" | "path string") => "a text",
        Some(wanted) => wanted,
        None => "something else",
    }
}

/// How to write what is meant, where that is plain from what is written.
fn form(
    path: &serde_path_to_error::Path,
    written: &Value,
    wanted: &str,
    json: bool,
) -> Option<String> {
    use serde_path_to_error::Segment;
    let keys = path.iter().filter_map(|segment| match segment {
        Segment::Map { key } => Some(key.as_str()),
        _ => None,
    });
    let keys: Vec<_> = keys.collect();
    match (keys.last()?, written) {
        (&"dhcp_range" | &"ranges", Value::String(range)) => {
            let (start, end) = addresses(range).unwrap_or(("FIRST", "LAST"));
            Some(match json {
                true => format!("write {{ \"start\": \"{start}\", \"end\": \"{end}\" }}"),
                false => format!("write {{ start = \"{start}\", end = \"{end}\" }}"),
            })
        }
        (key, Value::Object(_)) if wanted == "a list" => Some(match json {
            true => format!("write a list of tables: \"{key}\": [{{ … }}, {{ … }}]"),
            false => format!(
                "write [[netboot.{}]], with two brackets, for each",
                keys.join(".")
            ),
        }),
        _ => None,
    }
}

/// The first and the last address of a range that is written as one text: `FIRST-LAST`, or as
/// dnsmasq has it, `FIRST,LAST`.
fn addresses(text: &str) -> Option<(&str, &str)> {
    let is_address = |part: &&str| part.parse::<Ipv4Addr>().is_ok();
    let mut parts = text
        .split(['-', ',', ' '])
        .map(str::trim)
        .filter(|it| !it.is_empty());
    let first = parts.next().filter(is_address)?;
    let last = parts.next().filter(is_address)?;
    Some((first, last))
}

fn value_at<'v>(value: &'v Value, path: &serde_path_to_error::Path) -> Option<&'v Value> {
    use serde_path_to_error::Segment;
    path.iter().try_fold(value, |at, segment| match segment {
        Segment::Map { key } => at.get(key),
        Segment::Seq { index } => at.get(*index),
        _ => None,
    })
}

/// Removes the value at a path from its table, or puts another in its place; `None` where there is
/// none to remove.
fn take_out(
    value: &mut Value,
    path: &serde_path_to_error::Path,
    other: Option<Value>,
) -> Option<()> {
    use serde_path_to_error::Segment;
    let mut at = value;
    let mut segments = path.iter().peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        at = match (segment, at) {
            (Segment::Map { key }, Value::Object(table)) => {
                if last && other.is_none() {
                    return table.remove(key).map(|_| ());
                }
                table.get_mut(key)?
            }
            (Segment::Seq { index }, Value::Array(list)) => list.get_mut(*index)?,
            _ => return None,
        };
    }
    let other = other.filter(|other| other != at)?;
    *at = other;
    Some(())
}

impl Document {
    /// Says where it stands.
    pub(super) fn stand_at(&mut self, place: &str, problems: &mut Problems) {
        self.place = Place(place.into());
        if let Some(Table(server)) = &mut self.server {
            server.place = self.place.key("server");
        }
        if let Some(Table(ports)) = &mut self.ports {
            ports.place = self.place.key("ports");
        }
        if let Some(Table(tftp)) = &mut self.tftp {
            tftp.place = self.place.key("tftp");
        }
        if let Some(Table(tls)) = &mut self.tls {
            tls.place = self.place.key("tls");
        }
        if let Some(Table(menu)) = &mut self.menu {
            menu.place = self.place.key("menu");
        }
        for (name, Table(image)) in &mut self.images {
            image.place = self.place.key("images").key(name);
        }
        for (name, Table(group)) in &mut self.groups {
            group.place = self.place.key("groups").key(name);
        }
        for (index, Table(network)) in self.networks.iter_mut().enumerate() {
            network.place = self.place.index("networks", index);
        }
        for (index, Table(target)) in self.targets.iter_mut().enumerate() {
            target.place = self.place.index("targets", index);
        }
        // Said here, since some commands read no more of a file than this.
        if self.state_dir.as_deref() == Some(Path::new("")) {
            problems.error(
                self.place.key("state_dir"),
                "is empty",
                "write a folder, such as /var/lib/netboot, or leave it out",
            );
        }
    }

    /// Adds what a later file says: its tables win, its lists go behind.
    pub(super) fn merge(&mut self, later: Self) {
        let Self {
            place,
            state_dir,
            program_dirs,
            user,
            server,
            networks,
            ports,
            tftp,
            admin_listen,
            admin_names,
            tls,
            menu,
            images,
            groups,
            targets,
        } = later;
        self.place = place;
        self.state_dir = state_dir.or(self.state_dir.take());
        self.program_dirs = program_dirs.or(self.program_dirs.take());
        self.user = user.or(self.user.take());
        self.server = server.or(self.server.take());
        self.ports = ports.or(self.ports.take());
        self.tftp = tftp.or(self.tftp.take());
        self.admin_listen = admin_listen.or(self.admin_listen.take());
        self.admin_names = admin_names.or(self.admin_names.take());
        self.tls = tls.or(self.tls.take());
        self.menu = menu.or(self.menu.take());
        self.networks.extend(networks);
        self.images.extend(images);
        self.groups.extend(groups);
        self.targets.extend(targets);
    }
}
