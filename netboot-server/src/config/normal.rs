//! The normal form of a configuration: everything said, nothing derived any more.

use serde::Serialize;

use super::document::{self, CommandLine, LeaseTime, MenuTimeout};
use super::given::Given;
use super::{Config, MenuAction};

/// Writes the normal form as TOML, which reads back as the same configuration.
pub(super) fn to_toml(config: &Config) -> String {
    #[derive(Serialize)]
    struct File {
        version: &'static str,
        netboot: document::Netboot,
    }
    let file = File {
        version: "1.0",
        netboot: document(config),
    };
    // Fails only for a `state` that holds a null, which TOML cannot write.
    toml::to_string_pretty(&file)
        .or_else(|_| serde_json::to_string_pretty(&file))
        .unwrap_or_else(|error| format!("# cannot be written: {error}\n"))
}

fn document(config: &Config) -> document::Netboot {
    document::Netboot {
        state_dir: Some(config.state_dir.clone()),
        ports: Some(Given::Right(config.ports)),
        networks: config.networks.iter().map(network).collect(),
        menu: menu(config),
        images: config
            .images
            .iter()
            .map(|(name, image)| {
                let image = document::Image {
                    label: image.label.clone(),
                    cmdline: words(&image.cmdline),
                };
                (name.to_string(), image)
            })
            .collect(),
        targets: config.targets.iter().map(target).collect(),
        ..document::Netboot::default()
    }
}

fn network(network: &super::Network) -> document::Network {
    document::Network {
        name: Some(network.name.clone()),
        interface: network.interface.clone(),
        server: Some(Given::Right(network.server)),
        subnet: Some(Given::Right(network.subnet)),
        ranges: network
            .ranges
            .iter()
            .map(|&(start, end)| document::Range {
                start: Some(Given::Right(start)),
                end: Some(Given::Right(end)),
            })
            .collect(),
        exclude: network.exclude.iter().copied().map(Given::Right).collect(),
        gateway: network.gateway.map(Given::Right),
        dns: Some(Given::Right(network.dns.clone())),
        domain: network.domain.clone(),
        lease_time: Some(Given::Right(LeaseTime(network.lease_time))),
        allow: Some(Given::Right(network.allow)),
        ..document::Network::default()
    }
}

fn menu(config: &Config) -> document::Menu {
    let menu = &config.menu;
    document::Menu {
        title: Some(menu.title.clone()),
        default: menu.default.clone(),
        timeout: Some(Given::Right(MenuTimeout(menu.timeout_s))),
        unknown: Some(Given::Right(menu.unknown)),
        items: menu.items.as_ref().map(|items| {
            let items = items.iter().map(|item| {
                let written = document::MenuItem {
                    label: item.label.clone(),
                    ..document::MenuItem::default()
                };
                match &item.action {
                    MenuAction::Image(image) => document::MenuItem {
                        image: Some(Given::Right(image.clone())),
                        ..written
                    },
                    MenuAction::Chain(url) => document::MenuItem {
                        chain: Some(url.clone()),
                        ..written
                    },
                    MenuAction::Local => document::MenuItem {
                        local: Some(true),
                        ..written
                    },
                    MenuAction::Shell => document::MenuItem {
                        shell: Some(true),
                        ..written
                    },
                }
            });
            items.collect()
        }),
    }
}

fn target(target: &super::Target) -> document::Target {
    document::Target {
        name: Some(target.name.clone()),
        mac: Some(Given::Right(target.mac)),
        ip: target.ip.map(Given::Right),
        config: target.image.clone().map(Given::Right),
        program: target.program.clone(),
        cmdline: words(&target.cmdline),
        state: target.state.clone(),
        ..document::Target::default()
    }
}

fn words(words: &[String]) -> Option<Given<CommandLine>> {
    (!words.is_empty()).then(|| Given::Right(CommandLine(words.to_vec())))
}
