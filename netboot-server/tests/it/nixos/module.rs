//! The module and the flake.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::nixos::nix::{Nix, block_of_the_guide};
use crate::nixos::{REPOSITORY, said};

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

    let document = nix.document("");
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
fn what_the_guide_says_of_nixos_is_accepted() {
    let nix = Nix::new();
    let (package, block) = (nix.folder().join("package"), block_of_the_guide());
    let output = nix.build(&format!(
        "let flake = {block}; host = (flake.outputs {{ nixpkgs.lib.nixosSystem = host: host; \
         netboot.nixosModules.netboot-server = {{ }}; }}).nixosConfigurations.bootserver; in \
         (import ./evaluate.nix {{ package = \"{}\"; set = {{ }}; host.imports = host.modules; \
         }}).config.environment.etc.\"netboot/netboot.json\".source",
        package.display()
    ));
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("the configuration holds: 1 network(s), 1 target(s)"));
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn what_the_server_knows_of_networks_and_machines_can_be_said() {
    let nix = Nix::new();
    let document = nix.document(
        r#"
        settings.admin_listen = "off";
        settings.networks = [
            (network // {
                exclude = [ "10.0.0.150" ];
                probe = false;
                reply_delay = "1s";
                identify = "neighbour";
                program = { bios = "undionly.kpxe"; x64 = "snp.efi"; };
            })
            { interface = "eth2"; server = "10.0.1.1"; subnet = "10.0.1.0/24"; mode = "proxy"; }
            { name = "rack-2"; server = "10.0.0.1"; subnet = "10.2.0.0/24";
              ranges = [ { start = "10.2.0.100"; end = "10.2.0.200"; } ]; }
        ];
        settings.targets = [ { name = "port-3"; circuit = "0x000401f40003"; } ];
        "#,
    );
    let netboot = &document["netboot"];
    assert_eq!(netboot["admin_listen"], "off");
    let network = &netboot["networks"][0];
    assert_eq!(network["exclude"], json!(["10.0.0.150"]));
    assert_eq!(network["probe"], false);
    assert_eq!(network["reply_delay"], "1s");
    assert_eq!(network["identify"], "neighbour");
    assert_eq!(network["program"]["x64"], "snp.efi");
    assert_eq!(netboot["networks"][1]["mode"], "proxy");
    assert_eq!(netboot["networks"][2]["name"], "rack-2");
    assert_eq!(netboot["targets"][0]["circuit"], "0x000401f40003");
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn tls_by_credentials_is_built_though_the_certificate_is_only_on_the_running_host() {
    let nix = Nix::new();
    let over = r#"
        openFirewall = true;
        credentials."tls.crt" = "/var/lib/acme/boot/fullchain.pem";
        credentials."tls.key" = "/var/lib/acme/boot/key.pem";
        settings.tls.cert = "/run/credentials/netboot.service/tls.crt";
        settings.tls.key = "/run/credentials/netboot.service/tls.key";
    "#;
    let document = nix.document(over);
    assert_eq!(
        document["netboot"]["tls"]["key"],
        "/run/credentials/netboot.service/tls.key"
    );
    let config = nix.value(&format!("({}).config", nix.module(over)));
    let service = &config["systemd"]["services"]["netboot"]["serviceConfig"];
    assert_eq!(
        service["LoadCredential"],
        json!([
            "tls.crt:/var/lib/acme/boot/fullchain.pem",
            "tls.key:/var/lib/acme/boot/key.pem"
        ])
    );
    let firewall = &config["networking"]["firewall"]["interfaces"];
    assert_eq!(firewall["eth1"]["allowedTCPPorts"], json!([80, 443]));
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn a_configuration_that_the_check_refuses_is_not_built() {
    let nix = Nix::new();
    for (over, refused) in [
        (
            "settings.networks = [ (network // { gateway = \"10.9.9.9\"; }) ];",
            "netboot.networks[0].gateway: ",
        ),
        (
            "settings.tragets = [ ];",
            "netboot.tragets: no such key is known",
        ),
        (
            "settings.menu.tiemout = 3;",
            "netboot.menu.tiemout: no such key is known",
        ),
    ] {
        let output = nix.configuration(over);
        assert!(!output.status.success(), "{over}");
        let said = said(&output);
        assert!(said.contains(refused), "{said}");
    }
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn each_option_has_a_type_and_a_description() {
    let nix = Nix::new();
    let undocumented = nix.value(&format!("({}).undocumented", nix.module("")));
    assert_eq!(undocumented, json!([]));
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn the_flake_puts_out_the_package_the_module_and_the_test() {
    let nix = Nix::new();
    let flake = nix.value("import ./flake.nix { }");
    assert_eq!(flake["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(flake["meta"]["mainProgram"], "netboot");
    assert_eq!(flake["lock"], true);
    assert_eq!(flake["systems"], json!(["aarch64-linux", "x86_64-linux"]));
    assert_eq!(flake["module"], "/built/netboot-server");
    assert_eq!(flake["test"], "netboot");
    assert_eq!(flake["machines"], json!(["bios", "server", "uefi"]));
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn the_package_brings_units_manual_pages_and_completions() {
    let nix = Nix::new();
    let package = nix.installed();
    for file in [
        "bin/netboot-generate",
        "lib/systemd/system/netboot.service",
        "lib/systemd/system/netboot.socket",
        "share/man/man1/netboot.1",
        "share/man/man1/netboot-image-add.1",
    ] {
        assert!(package.join(file).is_file(), "{file}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let text = fs::read_to_string(package.join("completions").join(shell)).expect("a file");
        assert!(text.contains("netboot"), "{shell}");
    }
    // Where the program does not run on the machine that builds it, it is not asked.
    let crossed = nix.value("import ./flake.nix { canExecute = false; }");
    let script = crossed["postInstall"].as_str().expect("a script");
    assert!(script.contains("netboot.service"), "{script}");
    assert!(!script.contains("$out/bin/netboot man"), "{script}");
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn a_wrong_value_is_refused_with_its_option() {
    let nix = Nix::new();
    let settings = |over: &str| format!("settings.{over};");
    let network = |over: &str| settings(&format!("networks = [ (network // {{ {over}; }}) ]"));
    for (over, refused) in [
        (
            network("server = \"10.0.0\""),
            "settings.networks.*.server is not",
        ),
        (
            network("subnet = \"10.0.0.0\""),
            "settings.networks.*.subnet is not",
        ),
        (
            network("probe = \"no\""),
            "settings.networks.*.probe is not",
        ),
        (
            network("exclude = \"10.0.0.1\""),
            "settings.networks.*.exclude is not",
        ),
        ("interfase = \"eth1\";".into(), "interfase is no option"),
        ("openFirewall = \"yes\";".into(), "openFirewall is not"),
        // nixpkgs takes packages, and paths right in the store.
        ("ipxe = \"/usr/lib/ipxe\";".into(), "ipxe is not"),
        (
            settings("targets = [ { name = \"a\"; mac = \"52:54\"; } ]"),
            "settings.targets.*.mac is not",
        ),
        (
            settings("targets = [ { mac = \"52:54:00:12:34:56\"; } ]"),
            "settings.targets.*.name is not set",
        ),
        (
            settings("menu.unknown = \"nothing\""),
            "settings.menu.unknown is not",
        ),
        (settings("ports.http = 65536"), "settings.ports.http is not"),
        (
            settings("state_dir = \"/srv\""),
            "settings.state_dir is read-only",
        ),
        // A path would take the key into the store.
        (
            settings("tls = { cert = \"/cert.pem\"; key = ./guide.nix; }"),
            "settings.tls.key is not",
        ),
        (settings("later = x: x"), "settings.later is not"),
    ] {
        let error = nix.error(&format!("({}).config", nix.module(&over)));
        assert!(
            error.contains(&format!("services.netboot.{refused}")),
            "{over}: {error}"
        );
    }
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn what_cannot_be_meant_is_a_failed_assertion() {
    let nix = Nix::new();
    for (over, fragment) in [
        (
            "settings.networks = [ ];",
            "services.netboot.settings.networks",
        ),
        (
            "settings.targets = [ ]; settings.networks = [ (network // { ranges = [ ]; }) ];",
            "a network without ranges",
        ),
        (
            "settings.images.a = { nix = \"/a.nix\"; flake = \"/a#a\"; };",
            "not from both",
        ),
        (
            "settings.images.proxmox-host.nix = null;",
            "services.netboot.generate.enable",
        ),
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
fn the_firewall_is_opened_where_that_is_wanted_on_each_network_for_what_is_served() {
    let nix = Nix::new();
    let interfaces = |over: &str| {
        nix.value(&format!(
            "({}).config.networking.firewall.interfaces",
            nix.module(over)
        ))
    };
    assert_eq!(interfaces(""), json!({}));
    let open = json!({ "allowedUDPPorts": [67, 69, 4011], "allowedTCPPorts": [80] });
    assert_eq!(interfaces("openFirewall = true;"), json!({ "eth1": open }));
    // What is reached through a relay has no interface of its own.
    let several = "openFirewall = true; settings.networks = [ network { interface = \"eth2\"; \
                   server = \"10.0.1.1\"; subnet = \"10.0.1.0/24\"; mode = \"proxy\"; } { server = \
                   \"10.0.0.1\"; subnet = \"10.2.0.0/24\"; } ];";
    assert_eq!(interfaces(several), json!({ "eth1": open, "eth2": open }));
    let moved = "openFirewall = true; settings.ports.http = 8080; \
        settings.tls = { cert = \"/cert.pem\"; key = \"/key.pem\"; port = 8443; };";
    assert_eq!(
        interfaces(moved)["eth1"]["allowedTCPPorts"],
        json!([8080, 8443])
    );
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn the_unit_and_the_timer_are_as_the_options_say() {
    let nix = Nix::new();
    let over = "generate = { enable = true; onCalendar = \"04:30\"; };";
    let config = nix.value(&format!("({}).config", nix.module(over)));
    let service = &config["systemd"]["services"]["netboot"];
    assert_eq!(service["serviceConfig"]["ExecStart"][0], "");
    assert_eq!(
        service["reloadTriggers"][0],
        config["environment"]["etc"]["netboot/netboot.json"]["source"]
    );
    let timer = &config["systemd"]["timers"]["netboot-generate"]["timerConfig"];
    assert_eq!(timer["OnCalendar"], "04:30");
    assert_eq!(timer["RandomizedDelaySec"], "1h");

    let environment = |host: &str| {
        let module = format!(
            "({} // {{ host.nix.nixPath = {host}; }})",
            nix.arguments(over)
        );
        let unit = "config.systemd.services.netboot-generate.environment";
        nix.value(&format!("(import ./evaluate.nix {module}).{unit}"))
    };
    assert_eq!(
        environment("[ \"nixpkgs=/a\" \"/b\" ]"),
        json!({ "NIX_PATH": "nixpkgs=/a:/b" })
    );
    assert_eq!(environment("[ ]"), json!({}));

    let by_hand = nix.value(&format!(
        "({}).config",
        nix.module("generate.enable = false;")
    ));
    assert_eq!(by_hand["systemd"]["timers"], json!({}));
    let off = nix.value(&format!("({}).config", nix.module("enable = false;")));
    assert_eq!(off["units"], json!({}));
    assert_eq!(off["users"]["users"], json!({}));
}

#[test]
#[ignore = "needs systemd-analyze of Debian's systemd, and the Debian package nix-bin"]
fn the_units_of_a_host_hold_and_name_the_packages_program() {
    let nix = Nix::new();
    let package = nix.installed();
    let unit = package.join("lib/systemd/system/netboot.service");
    let text = fs::read_to_string(&unit).expect("the unit");
    let mut settings = text.lines().filter(|line| !line.starts_with('#'));
    assert!(settings.all(|line| !line.contains("/usr/")), "{text}");
    let verified = |unit: &Path| {
        let mut command = Command::new("systemd-analyze");
        command.args(["verify", "--man=no"]).arg(unit);
        let output = command.output().expect("systemd-analyze");
        (output.status.success(), said(&output))
    };
    assert_eq!(verified(&unit), (true, String::new()));

    // As NixOS lays its units out: what it says of a package's unit is laid over that.
    let units = nix.folder().join("units");
    fs::create_dir(&units).expect("a folder");
    let of_host = nix.value(&format!("({}).config.units", nix.module("")));
    let of_host = of_host.as_object().expect("units");
    let names: Vec<_> = of_host.keys().map(String::as_str).collect();
    let expected = [
        "netboot-generate.service",
        "netboot-generate.timer",
        "netboot.service",
    ];
    assert_eq!(names, expected);
    fs::copy(&unit, units.join("netboot.service")).expect("copied");
    let overrides = units.join("netboot.service.d");
    fs::create_dir(&overrides).expect("a folder");
    for (name, text) in of_host {
        let text = text.as_str().expect("text");
        let file = match name.as_str() {
            "netboot.service" => overrides.join("overrides.conf"),
            name => units.join(name),
        };
        fs::write(file, text).expect("written");
    }
    for name in expected {
        assert_eq!(verified(&units.join(name)), (true, String::new()), "{name}");
    }
    let program = package.join("bin/netboot");
    let reload = format!("ExecReload=\nExecReload={} reload ", program.display());
    let text = of_host["netboot.service"].as_str().expect("text");
    assert!(text.contains(&reload), "{text}");
    // A program that is not there is seen in this place, too.
    fs::write(
        overrides.join("zz.conf"),
        "[Service]\nExecReload=\nExecReload=/usr/bin/netboot-of-debian reload\n",
    )
    .expect("written");
    let (holds, said) = verified(&units.join("netboot.service"));
    assert!(!holds && said.contains("netboot-of-debian"), "{said}");
}

#[test]
#[ignore = "needs root, and the Debian packages nix-bin and git"]
fn the_unit_that_generates_reads_flakes_in_other_users_repositories() {
    let nix = Nix::new();
    let repository = nix.folder().join("etc/hosts");
    fs::create_dir_all(&repository).expect("a folder");
    let flake = "{ outputs = { self }: { answer = \"it was read\"; }; }";
    fs::write(repository.join("flake.nix"), flake).expect("written");
    let script = "chmod 755 \"$1\" && cd \"$1/etc\" && git init --quiet && git add . && \
        git -c user.name=a -c user.email=a@example.org commit --quiet --message=a && \
        mkdir \"$1/nobody\" && chown nobody \"$1/nobody\"";
    let made = Command::new("bash")
        .args(["-euc", script, "bash"])
        .arg(nix.folder())
        .output()
        .expect("bash");
    assert!(made.status.success(), "{}", said(&made));

    let path = repository.display();
    for reference in [
        format!("{path}#nixosConfigurations.a"),
        format!(
            "git+file://{}?dir=hosts#a",
            nix.folder().join("etc").display()
        ),
    ] {
        let module = nix.module(&format!("settings.images.a.flake = \"{reference}\";"));
        let unit = format!("({module}).config.systemd.services.netboot-generate");
        let programs = nix.value(&format!("map (package: package.name) {unit}.path"));
        assert_eq!(programs, json!(["nix", "git"]));
        let output = nix.build(&format!("{unit}.environment.XDG_CONFIG_HOME"));
        assert!(output.status.success(), "{}", said(&output));
        let config = String::from_utf8(output.stdout).expect("a path");

        // The service's user is nobody here, with a Nix of its own.
        let evaluate = |config: &str| {
            let mut command = Command::new("setpriv");
            let (url, _) = reference.split_once('#').expect("an attribute");
            command
                .args(["--reuid=nobody", "--clear-groups", "nix", "eval", "--raw"])
                .args(["--extra-experimental-features", "nix-command flakes"])
                .arg(format!("{url}#answer"));
            crate::support::nix::use_nix(&mut command, &nix.folder().join("nobody"));
            command.env("XDG_CONFIG_HOME", config);
            command.output().expect("setpriv")
        };
        let refused = evaluate("/nonexistent");
        assert!(!refused.status.success(), "{reference} needs no trust");
        let read = evaluate(config.trim());
        assert!(read.status.success(), "{}", said(&read));
        assert_eq!(String::from_utf8_lossy(&read.stdout), "it was read");
    }
}

/// What only Debian has is named neither by the module nor by what it installs.
#[test]
fn the_module_names_no_path_of_debian() {
    for file in ["module.nix", "settings.nix"] {
        let path = format!("{REPOSITORY}/netboot-server/dist/nixos/{file}");
        let text = fs::read_to_string(path).expect("the file");
        for line in text.lines() {
            assert!(!line.contains("/usr/"), "{file}: {line}");
        }
    }
}
