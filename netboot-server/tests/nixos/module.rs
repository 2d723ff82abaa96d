//! The module and the flake.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::nix::Nix;
use crate::{REPOSITORY, said};

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn the_guides_options_make_a_configuration_that_the_check_accepts_while_it_is_built() {
    let nix = Nix::new();
    let output = nix.configuration("");
    assert!(output.status.success(), "{}", said(&output));
    let said = said(&output);
    assert!(
        said.contains("the configuration holds: 1 network(s), 3 target(s)"),
        "{said}"
    );

    let path = String::from_utf8(output.stdout).expect("a path");
    let document: Value =
        serde_json::from_slice(&fs::read(path.trim()).expect("the file")).expect("JSON");
    let netboot = &document["netboot"];
    assert_eq!(netboot["networks"][0]["server"], "10.0.0.1");
    assert_eq!(netboot["networks"][0]["ranges"][0]["end"], "10.0.0.200");
    assert_eq!(netboot["targets"][0]["config"], "proxmox-host");
    // What is not set is not written; a state is passed on to the letter.
    assert_eq!(netboot["networks"][0].get("domain"), None);
    assert_eq!(netboot["targets"][1].get("state"), None);
    assert_eq!(
        netboot["targets"][0]["state"]["plugins"]["lxc"]["parent"],
        Value::Null
    );
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn a_configuration_that_the_check_refuses_is_not_built() {
    let nix = Nix::new();
    let output = nix.configuration("gateway = \"10.9.9.9\";");
    assert!(!output.status.success());
    let said = said(&output);
    assert!(said.contains("netboot.networks[0].gateway: "), "{said}");

    let output = nix.configuration("settings.tragets = [ ];");
    assert!(!output.status.success());
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn each_option_has_a_type_and_a_description() {
    let nix = Nix::new();
    let undocumented = nix.value(&format!("({}).undocumented", nix.module("")));
    assert_eq!(undocumented, serde_json::json!([]));
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn the_flake_puts_out_the_package_the_module_and_the_test() {
    let flake = Nix::new().value("import ./flake.nix");
    assert_eq!(flake["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(flake["lock"], true);
    assert_eq!(
        flake["systems"],
        serde_json::json!(["aarch64-linux", "x86_64-linux"])
    );
    assert_eq!(flake["module"], true);
    assert_eq!(flake["test"], "netboot");
    // What the package installs is in the repository.
    let script = flake["postInstall"].as_str().expect("a script");
    let units: Vec<&str> = script
        .split_whitespace()
        .filter(|word| word.starts_with("netboot-server/dist/systemd/"))
        .collect();
    assert!(!units.is_empty());
    for unit in units {
        let (folder, ending) = unit.split_once('*').expect("a pattern");
        let entries = fs::read_dir(Path::new(REPOSITORY).join(folder)).expect("a folder");
        let mut names = entries.map(|entry| entry.expect("an entry").file_name());
        assert!(names.any(|name| name.to_string_lossy().ends_with(ending)));
    }
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn a_wrong_value_is_refused_with_its_option() {
    let nix = Nix::new();
    for (over, refused) in [
        ("serverIp = \"10.0.0\";", "services.netboot.serverIp is not"),
        ("subnet = \"10.0.0.0\";", "services.netboot.subnet is not"),
        (
            "interfase = \"eth1\";",
            "services.netboot.interfase is no option",
        ),
        (
            "targets = [ { name = \"a\"; mac = \"52:54\"; } ];",
            "services.netboot.targets.*.mac is not",
        ),
        (
            "menu.unknown = \"nothing\";",
            "services.netboot.menu.unknown is not",
        ),
    ] {
        // The configuration is made of all options, so that each of them is looked at.
        let config = format!("({}).config", nix.module(over));
        let error = nix.error(&format!(
            "{config}.environment.etc.\"netboot/netboot.json\".source"
        ));
        assert!(error.contains(refused), "{over}: {error}");
    }
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn what_cannot_be_meant_is_a_failed_assertion() {
    let nix = Nix::new();
    for (over, fragment) in [
        ("ranges = [ ];", "services.netboot.ranges"),
        (
            "images.a = { nix = \"/a.nix\"; flake = \"/a#a\"; };",
            "not from both",
        ),
        ("images = { };", "services.netboot.generate.enable"),
    ] {
        let assertions = nix.value(&format!("({}).config.assertions", nix.module(over)));
        let failed: Vec<&Value> = assertions
            .as_array()
            .expect("a list")
            .iter()
            .filter(|assertion| assertion["assertion"] == false)
            .collect();
        let [failed] = failed.as_slice() else {
            panic!("{over}: {failed:?}");
        };
        assert!(failed["message"].to_string().contains(fragment), "{failed}");
    }
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn the_unit_the_firewall_the_timer_and_the_secrets_are_as_the_options_say() {
    let nix = Nix::new();
    let over = "credentials.\"tls.key\" = \"/run/secrets/tls.key\"; generate = { enable = true; onCalendar = \"04:30\"; };";
    let config = nix.value(&format!("({}).config", nix.module(over)));
    assert_eq!(
        config["networking"]["firewall"]["interfaces"],
        serde_json::json!({ "eth1": { "allowedUDPPorts": [67, 69, 4011], "allowedTCPPorts": [80] } })
    );
    let service = &config["systemd"]["services"]["netboot"]["serviceConfig"];
    assert_eq!(service["LoadCredential"][0], "tls.key:/run/secrets/tls.key");
    assert_eq!(service["ExecStart"][0], "");
    let timer = &config["systemd"]["timers"]["netboot-generate"]["timerConfig"];
    assert_eq!(timer["OnCalendar"], "04:30");
    assert_eq!(timer["RandomizedDelaySec"], "1h");

    let closed = nix.value(&format!(
        "({}).config",
        nix.module("openFirewall = false; generate = { };")
    ));
    assert_eq!(closed["networking"]["firewall"]["interfaces"], Value::Null);
    assert_eq!(closed["systemd"]["timers"]["netboot-generate"], Value::Null);
    let off = nix.value(&format!("({}).config", nix.module("enable = false;")));
    assert_eq!(off, Value::Null);
}
