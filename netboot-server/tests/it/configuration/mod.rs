//! Configurations as people write them and as programs make them: right, wrong in every way that
//! the schema knows, and nonsense.

mod code;
mod missing;
mod normal;
mod reading;
mod together;
mod values;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use netboot_dhcp::MacAddr;
use netboot_server::config::{self, Config, Flags, Host, MenuAction, Mode, Problems, Severity};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The document of the guide, word for word.
const GUIDE: &str = r#"{ "version": "1.0",
  "netboot": {
    "server":  { "ip": "192.168.100.1", "interface": "eth1",
                 "dhcp_range": { "start": "192.168.100.100", "end": "192.168.100.200" } },
    "targets": [ { "name": "proxmox-node-01", "mac": "52:54:00:12:34:56", "ip": "192.168.100.101",
                   "config": "proxmox-host", "state": { "plugins": { } } } ] } }"#;

fn host() -> Host {
    Host::default().with("eth1", Ipv4Addr::new(192, 168, 100, 1), 24)
}

fn read(name: &str, text: &str) -> (Option<Config>, Problems) {
    let json = name.ends_with(".json");
    config::load_text(name, text, json, &Flags::default(), &host())
}

fn read_json(netboot: &Value) -> (Option<Config>, Problems) {
    read("n.json", &json!({ "netboot": netboot }).to_string())
}

fn good(name: &str, text: &str) -> Config {
    let (config, problems) = read(name, text);
    config.unwrap_or_else(|| panic!("refused:\n{problems}"))
}

/// The errors of a document, each as `place | what | cure`, the file's name left out.
fn errors(netboot: &Value) -> Vec<String> {
    let (config, problems) = read_json(netboot);
    let errors: Vec<_> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .map(|problem| {
            assert!(!problem.cure.is_empty(), "{problem}");
            let place = problem.place.replace("n.json:1: ", "");
            format!("{place} | {} | {}", problem.what, problem.cure)
        })
        .collect();
    assert_eq!(config.is_none(), !errors.is_empty(), "{problems}");
    errors
}

/// The one error of the guide's document with a value put at a place.
#[track_caller]
fn error_with(pointer: &str, value: Value) -> String {
    let errors = errors(&guide_with(pointer, value));
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.concat()
}

fn guide_with(pointer: &str, value: Value) -> Value {
    let mut document: Value = serde_json::from_str(GUIDE).expect("the guide's document");
    let mut at = &mut document["netboot"];
    for key in pointer.split('/') {
        at = match key.parse::<usize>() {
            Ok(index) => {
                let list = at.as_array_mut().expect("a list");
                if index == list.len() {
                    list.push(Value::Null);
                }
                &mut list[index]
            }
            Err(_) => &mut at[key],
        };
    }
    *at = value;
    document["netboot"].take()
}

/// Reads both normal forms back.
fn same_again(config: &Config) {
    let mut forms = vec![("again.json", config.to_json().to_string())];
    forms.extend(config.to_toml().map(|toml| ("again.toml", toml)));
    for (name, text) in forms {
        // Nothing is left to be derived from the host.
        let flags = Flags::default();
        let json = name.ends_with(".json");
        let (again, problems) = config::load_text(name, &text, json, &flags, &Host::default());
        assert_eq!(problems.to_string(), "", "{text}");
        let mut again = again.expect("no problem, so a configuration");
        for (again, target) in again.targets.iter_mut().zip(&config.targets) {
            again.place.clone_from(&target.place);
        }
        assert_eq!(&again, config, "{text}");
    }
}
