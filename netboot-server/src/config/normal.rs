//! The normal form of a configuration: everything said, nothing derived any more.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::document::{self, CommandLine, LeaseTime, MenuTimeout, ReplyDelay, Table};
use super::field::Field;
use super::listen::AdminListen;
use super::{Build, Config, MenuAction, Mode};

#[derive(Serialize)]
struct File {
    version: &'static str,
    netboot: document::Document,
}

impl File {
    fn of(config: &Config) -> Self {
        Self {
            version: "1.0",
            netboot: document(config),
        }
    }
}

/// Writes the normal form as TOML; `None` where a `state` holds what TOML has no word for.
pub(super) fn to_toml(config: &Config) -> Option<String> {
    let text = toml::to_string_pretty(&File::of(config)).ok()?;
    // Numbers are written that cannot be read.
    toml::from_str::<toml::Table>(&text).ok().map(|_| text)
}

/// Writes the normal form as JSON.
pub(super) fn to_json(config: &Config) -> serde_json::Value {
    let mut file = serde_json::to_value(File::of(config)).unwrap_or_default();
    leave_out_nulls(&mut file);
    file
}

/// Takes out the keys that say nothing; what a `state` holds is left as it is.
fn leave_out_nulls(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(table) => {
            table.retain(|_, value| !value.is_null());
            let ours = table.iter_mut().filter(|(key, _)| *key != "state");
            ours.for_each(|(_, value)| leave_out_nulls(value));
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(leave_out_nulls),
        _ => {}
    }
}

fn document(config: &Config) -> document::Document {
    document::Document {
        state_dir: Some(shown(&config.state_dir)),
        program_dirs: Some(config.program_dirs.iter().map(|dir| shown(dir)).collect()),
        user: config.user.clone(),
        ports: Some(Table(ports(config.ports))),
        tftp: Some(Table(super::tftp::document(config.tftp))),
        admin_listen: Some(Field::Right(AdminListen(config.admin_listen))),
        admin_names: Some(config.admin_names.clone()),
        networks: config.networks.iter().map(network).map(Table).collect(),
        tls: config.tls.as_ref().map(super::tls::document).map(Table),
        menu: Some(Table(menu(config))),
        images: config
            .images
            .iter()
            .map(|(name, image)| {
                let image = document::Image {
                    label: image.label.clone(),
                    cmdline: words(&image.cmdline),
                    nix: match &image.build {
                        Some(Build::Nix(path)) => Some(path.to_string_lossy().into_owned()),
                        _ => None,
                    },
                    flake: match &image.build {
                        Some(Build::Flake(reference)) => Some(reference.clone()),
                        _ => None,
                    },
                    menu: image.hidden.then_some(Field::Right(false)),
                    ..document::Image::default()
                };
                (name.to_string(), Table(image))
            })
            .collect(),
        groups: config
            .groups
            .iter()
            .map(|(name, of)| (name.clone(), Table(group(of))))
            .collect(),
        targets: config.targets.iter().map(target).map(Table).collect(),
        ..document::Document::default()
    }
}

/// A path as text, which a document needs it to be.
pub(super) fn shown(path: &Path) -> PathBuf {
    path.to_string_lossy().into_owned().into()
}

fn ports(ports: super::Ports) -> document::Ports {
    document::Ports {
        dhcp: Some(Field::Right(ports.dhcp)),
        dhcp_client: Some(Field::Right(ports.dhcp_client)),
        tftp: Some(Field::Right(ports.tftp)),
        http: Some(Field::Right(ports.http)),
        boot_server: Some(Field::Right(ports.boot_server)),
        ..document::Ports::default()
    }
}

fn network(network: &super::Network) -> document::Network {
    // Of addresses a proxy has nothing to say.
    let gives = network.mode != Mode::Proxy;
    document::Network {
        name: Some(network.name.clone()),
        interface: network.interface.clone(),
        server: Some(Field::Right(network.server)),
        subnet: Some(Field::Right(network.subnet)),
        ranges: network
            .ranges
            .iter()
            .map(|&(start, end)| {
                Table(document::Range {
                    start: Some(Field::Right(start)),
                    end: Some(Field::Right(end)),
                })
            })
            .collect(),
        exclude: network.exclude.iter().copied().map(Field::Right).collect(),
        gateway: network.gateway.map(Field::Right),
        dns: gives.then(|| Field::Right(network.dns.clone())),
        domain: network.domain.clone(),
        lease_time: gives.then_some(Field::Right(LeaseTime(network.lease_time))),
        allow: Some(Field::Right(network.allow)),
        identify: Some(Field::Right(network.identify)),
        program: network.program.clone().map(Field::Right),
        options: options(&network.options),
        mode: Some(Field::Right(network.mode)),
        authoritative: Some(Field::Right(network.authoritative)),
        relays: Some(Field::Right(network.relays.clone())),
        trust_option_82: Some(Field::Right(network.trust_option_82)),
        probe: (gives || !network.probe).then_some(Field::Right(network.probe)),
        reply_delay: Some(Field::Right(ReplyDelay(network.reply_delay))),
        ..document::Network::default()
    }
}

fn menu(config: &Config) -> document::Menu {
    let menu = &config.menu;
    document::Menu {
        title: Some(menu.title.clone()),
        default: menu.default.clone(),
        timeout: Some(Field::Right(MenuTimeout(menu.timeout_s))),
        unknown: Some(Field::Right(menu.unknown)),
        items: menu.items.as_ref().map(|items| {
            let items = items.iter().map(|item| {
                let written = document::MenuItem {
                    label: item.label.clone(),
                    ..document::MenuItem::default()
                };
                match &item.action {
                    MenuAction::Image(image) => document::MenuItem {
                        image: Some(Field::Right(image.clone())),
                        ..written
                    },
                    MenuAction::Chain(url) => document::MenuItem {
                        chain: Some(url.clone()),
                        ..written
                    },
                    MenuAction::Local => document::MenuItem {
                        local: Some(Field::Right(true)),
                        ..written
                    },
                    MenuAction::Shell => document::MenuItem {
                        shell: Some(Field::Right(true)),
                        ..written
                    },
                }
            });
            items.map(Table).collect()
        }),
        ..document::Menu::default()
    }
}

fn group(group: &super::Group) -> document::Group {
    document::Group {
        config: group.image.clone().map(Field::Right),
        install: group.install.as_ref().map(install),
        program: group.program.clone().map(Field::Right),
        local: group.local.map(Field::Right),
        cmdline: words(&group.cmdline),
        options: options(&group.options),
        ..document::Group::default()
    }
}

fn target(target: &super::Target) -> document::Target {
    document::Target {
        name: Some(target.name.clone()),
        mac: target.mac.map(Field::Right),
        uuid: target.uuid.map(Field::Right),
        circuit: target.circuit.clone().map(Field::Right),
        ip: target.ip.map(Field::Right),
        group: target.group.clone(),
        config: target.image.clone().map(Field::Right),
        install: target.install.as_ref().map(install),
        program: target.program.clone().map(Field::Right),
        local: target.local.map(Field::Right),
        cmdline: words(&target.cmdline),
        options: options(&target.options),
        secrets: Some(Field::Right(target.secrets)),
        state: target.state.clone(),
        ..document::Target::default()
    }
}

fn install(install: &super::Install) -> Table<document::Install> {
    Table(document::Install {
        image: Some(Field::Right(install.image.clone())),
        then: Some(Field::Right(install.then)),
    })
}

fn options(options: &[super::DhcpOption]) -> document::Options {
    let written = options.iter();
    written
        .map(|option| (option.name(), option.written.clone()))
        .collect()
}

fn words(words: &[String]) -> Option<Field<CommandLine>> {
    (!words.is_empty()).then(|| Field::Right(CommandLine(words.to_vec())))
}
