//! Any text as a configuration, in TOML or, where it begins with a brace, JSON: what is wrong with
//! it is said, and where nothing is, each machine of it gets a script of each kind that its boot
//! program reads.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use netboot_image::Manifest;
use netboot_ipxe::Script;
use netboot_server::config::{Flags, Host, load_text};
use netboot_server::policy::{Origin, decide};
use netboot_server::script::{Asker, Trust, write, write_grub, write_pxelinux};
use netboot_server::world::{Machine, World, programs::Programs};

/// By hand, from the manifest's documentation.
const IMAGE: &[u8] = br#"{"version":"1.0","name":"img","generation":1,
"created":"2026-11-23T05:26:58Z","architecture":"x86_64","kind":"linux",
"kernel":{"file":"linux","size":3,"cmdline_limit":2047,
"digest":"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
"initrds":[{"file":"initrd","size":3,
"digest":"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}],
"cmdline":["console=ttyS0"]}"#;

fuzz_target!(|text: &str| {
    let flags = Flags {
        state_dir: Some(PathBuf::from("/nonexistent")),
    };
    let json = text.trim_start().starts_with('{');
    let (config, problems) = load_text("fuzz", text, json, &flags, &Host::default());
    let said = problems.to_string();
    assert!(
        !said.contains(|c: char| c.is_control() && c != '\n'),
        "{said:?}"
    );
    let Some(config) = config else {
        return assert!(problems.any_error());
    };
    let image = Manifest::decode(IMAGE).expect("by hand");
    let machines: Vec<_> = config
        .targets
        .iter()
        .map(|target| Machine {
            mac: target.mac,
            uuid: target.uuid,
            circuit: target.circuit.clone(),
            ..Machine::default()
        })
        .chain([Machine::default()])
        .collect();
    let world = World::new(Arc::new(config), vec![image], Programs::default());
    for machine in machines.iter().take(16) {
        look(&world, machine);
    }
});

fn look(world: &World, machine: &Machine) {
    let decision = decide(world, machine);
    assert!(!decision.to_string().is_empty());
    let asker = Asker {
        mac: machine.mac,
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9)),
        origin: Origin {
            server: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            http_port: 80,
            secure: false,
        },
        trust: Trust::PERSON,
    };
    // What iPXE cannot hold is an error; what is written is what was meant.
    if let Ok(script) = write(world, &decision, &asker) {
        let parsed = Script::parse(&script).expect("a script that iPXE reads");
        assert_eq!(parsed.render().as_ref(), Ok(&script));
    }
    for text in [
        write_grub(world, &decision, &asker),
        write_pxelinux(world, &decision, &asker),
    ] {
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'),
            "{text:?}"
        );
    }
}
