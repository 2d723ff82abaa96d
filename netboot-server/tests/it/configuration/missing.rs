//! What a configuration names and the host does not have, of which `check` warns.

use netboot_image::Manifest;
use netboot_server::world::World;
use netboot_server::world::programs::Programs;

use super::*;

/// Manifests of each kind, by hand from `netboot-image/manifest.schema.json`: a unified kernel with
/// a command line in it, and one without.
fn images() -> Vec<Manifest> {
    let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let file = |name: &str| json!({ "file": name, "size": 3, "digest": digest });
    let mut kernel = file("bzImage");
    kernel["cmdline_limit"] = json!(2047);
    let program = |own: Value| {
        let mut program = file("program.efi");
        program["unified"] = json!({ "cmdline_limit": 2047, "cmdline": own });
        json!({ "kind": "efi", "architecture": "x86_64", "program": program })
    };
    let linux = json!({ "kind": "linux", "architecture": "x86_64", "kernel": kernel,
                        "initrds": [file("initrd")], "cmdline": [] });
    let chain = json!({ "kind": "chain", "url": "https://boot.example/menu.ipxe" });
    let disc = json!({ "kind": "iso", "disc": file("disc.iso") });
    let kinds = [
        ("debian", linux),
        ("cloud", chain),
        ("live", disc),
        ("uki", program(json!(["quiet"]))),
        ("bare-uki", program(json!([]))),
    ];
    let manifests = kinds.map(|(name, mut manifest)| {
        manifest["version"] = json!("1.1");
        manifest["name"] = json!(name);
        manifest["generation"] = json!(1);
        manifest["created"] = json!("2026-11-23T05:26:58Z");
        manifest["label"] = json!(name);
        let read = Manifest::decode(manifest.to_string().as_bytes());
        read.unwrap_or_else(|error| panic!("{name}: {error}"))
    });
    manifests.into()
}

/// What is warned of where a host has these programs and every image above, each as
/// `place | what | cure`.
fn warnings(netboot: Value, programs: Programs) -> Vec<String> {
    let server = json!({ "ip": "192.168.100.1", "interface": "eth1",
                         "dhcp_range": { "start": "192.168.100.100", "end": "192.168.100.200" } });
    let mut document = json!({ "server": server });
    for (key, value) in netboot.as_object().expect("a table") {
        document[key] = value.clone();
    }
    let (config, mut problems) = read_json(&document);
    let config = config.unwrap_or_else(|| panic!("refused:\n{problems}"));
    World::new(config.into(), images(), programs).warn(&mut problems);
    let warnings = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Warning);
    let said = warnings.map(|problem| {
        let place = problem.place.replace("n.json:1: ", "");
        format!("{place} | {} | {}", problem.what, problem.cure)
    });
    said.collect()
}

fn programs() -> Programs {
    Programs::from(["undionly.kpxe", "ipxe.efi"])
}

#[test]
fn placeholders_that_stand_for_nothing_on_machines_of_the_menu_are_warned_of() {
    let named = |more: Value| {
        let mut configured = json!({ "images": { "debian": { "cmdline": ["a={name}"] },
                                                 "uki": { "cmdline": "b={mac}" } } });
        for (key, value) in more.as_object().expect("a table") {
            configured[key] = value.clone();
        }
        warnings(configured, programs())
    };
    let of_debian = "netboot.images.debian.cmdline | holds {name}, which stands for nothing on a \
                     machine that is no target, and the menu offers image debian to those, too | \
                     leave it out, or keep the image out of the menu: \
                     netboot.images.debian.menu = false";
    let count = |said: &[String]| said.iter().filter(|one| one.contains("{name}")).count();
    let said = named(json!({}));
    assert!(
        said.contains(&of_debian.to_owned()) && count(&said) == 1,
        "{said:#?}"
    );
    assert_eq!(count(&named(json!({ "menu": { "unknown": "local" } }))), 0);
    let hidden = json!({ "images": { "debian": { "cmdline": ["a={name}"], "menu": false } } });
    assert_eq!(count(&named(hidden)), 0);
    let report = json!({ "images": { "debian": { "cmdline": "r={report}" } } });
    let said = named(report);
    let of_report = "netboot.images.debian.cmdline | holds {report}, which stands for nothing where \
                     no `install` is due";
    assert!(
        said.iter().any(|one| one.starts_with(of_report)),
        "{said:#?}"
    );
}

#[test]
fn an_image_that_is_misspelled_is_cured_by_the_nearest_one() {
    let target = |image: &str| json!({ "targets": [{ "name": "a", "mac": "02:00:00:00:00:01", "config": image }] });
    let of = |netboot: Value| {
        let said = warnings(netboot, programs());
        assert_eq!(said.len(), 1, "{said:#?}");
        said.concat()
    };
    let said = of(target("debain"));
    let cure = " | did you mean `debian`? else run `netboot image add debain --kernel";
    assert!(said.contains(cure), "{said}");
    assert!(of(target("windows")).contains(" | run `netboot image add windows"));
    // One that is to be built is meant as it is written.
    let mut built = target("debain");
    built["images"] = json!({ "debain": { "nix": "a.nix" } });
    assert!(of(built).ends_with(" | run `netboot image generate debain`"));
}

#[test]
fn words_that_an_image_does_not_take_are_warned_of_wherever_they_are_configured() {
    let words = json!({ "cmdline": ["quiet"] });
    let configured = json!({
        "images": { "debian": words, "cloud": words, "live": words, "uki": words,
                    "bare-uki": words },
        "groups": { "rack": { "config": "live", "cmdline": ["rack=7"] },
                    "once": { "install": { "image": "cloud" } } },
        "targets": [
            { "name": "a", "mac": "02:00:00:00:00:01", "config": "cloud", "cmdline": ["a"] },
            { "name": "b", "mac": "02:00:00:00:00:02", "group": "rack" },
            { "name": "c", "mac": "02:00:00:00:00:03", "config": "debian", "cmdline": ["c"],
              "install": { "image": "uki", "then": "config" } },
            { "name": "d", "mac": "02:00:00:00:00:04", "group": "once", "cmdline": ["d"] },
            { "name": "e", "mac": "02:00:00:00:00:05", "config": "uki" },
            { "name": "f", "mac": "02:00:00:00:00:06", "config": "bare-uki", "cmdline": ["f"] },
            { "name": "g", "mac": "02:00:00:00:00:07", "config": "debian", "cmdline": ["g"] },
        ],
    });
    let none = |place: &str, image: &str, kind: &str| {
        format!(
            "netboot.{place}.cmdline | image {image} is of kind {kind}, which takes no command \
             line | take it out, or boot an image that takes one"
        )
    };
    let own = |place: &str| {
        format!(
            "netboot.{place}.cmdline | image uki is a unified kernel with a command line of its \
             own, and takes no other where Secure Boot is on | build it with these words, or boot \
             it without Secure Boot"
        )
    };
    let expected = [
        none("images.cloud", "cloud", "chain"),
        none("images.live", "live", "iso"),
        own("images.uki"),
        none("targets[0]", "cloud", "chain"),
        none("targets[1]", "live", "iso"),
        own("targets[2]"),
        none("targets[3]", "cloud", "chain"),
    ];
    assert_eq!(warnings(configured, programs()), expected);
}

#[test]
fn images_that_are_not_in_the_store_are_warned_of_by_who_boots_them() {
    let configured = json!({
        "images": { "built": { "nix": "built.nix" } },
        "groups": { "rack": { "config": "gone", "install": { "image": "built" } } },
        "targets": [
            { "name": "a", "mac": "02:00:00:00:00:01", "config": "debian",
              "install": { "image": "gone", "then": "config" } },
            { "name": "b", "mac": "02:00:00:00:00:02", "group": "rack" },
        ],
    });
    let missing = |place: &str, image: &str, whose: &str, command: &str| {
        format!(
            "netboot.{place} | image {image} is not in the store; {whose} gets a script that says \
             so | run `netboot image {command}`"
        )
    };
    let add = "add gone --kernel FILE --initrd FILE";
    let generate = "generate built";
    let expected = [
        missing("groups.rack.config", "gone", "group rack", add),
        missing("groups.rack.install.image", "built", "group rack", generate),
        missing("targets[0].install.image", "gone", "a", add),
    ];
    assert_eq!(warnings(configured, programs()), expected);
}

#[test]
fn programs_that_are_named_and_not_at_hand_are_warned_of_wherever_they_are_named() {
    let configured = json!({
        "state_dir": "/srv/netboot",
        "server": { "ip": "192.168.100.1", "interface": "eth1", "program": "net.efi",
                    "dhcp_range": { "start": "192.168.100.100", "end": "192.168.100.200" } },
        "groups": { "rack": { "program": { "bios": "undionly.kpxe", "x64": "rack.efi" } } },
        "targets": [
            { "name": "a", "mac": "02:00:00:00:00:01", "program": "ipxe.efi" },
            { "name": "b", "mac": "02:00:00:00:00:02", "program": "sub/b.efi" },
        ],
    });
    let cure = "put it into /srv/netboot/tftp";
    let expected = [
        format!("netboot.targets[1].program | sub/b.efi is not at hand | {cure}"),
        format!("netboot.groups.rack.program | rack.efi is not at hand | {cure}"),
        format!("network eth1.program | net.efi is not at hand | {cure}"),
    ];
    assert_eq!(warnings(configured, programs()), expected);
}

#[test]
fn a_host_without_ipxe_for_pcs_is_warned_of() {
    let configured = || json!({ "state_dir": "/srv/netboot" });
    let none = "/srv/netboot/tftp | no iPXE program is at hand, here or in the distribution's \
                folders | install iPXE (the package ipxe of Debian and of nixpkgs), or put \
                undionly.kpxe and ipxe.efi there";
    let only_for_arm = Programs::from(["arm64-efi/ipxe.efi"]);
    assert_eq!(warnings(configured(), only_for_arm), [none]);
    for one in ["undionly.kpxe", "ipxe.efi"] {
        let said = warnings(configured(), Programs::from([one]));
        assert!(said.is_empty(), "{one}: {said:?}");
    }
}

#[test]
fn grub_in_proxy_mode_is_warned_of_with_what_the_other_server_has_to_say() {
    let configured = |program: &str| {
        json!({ "server": { "ip": "192.168.100.1", "interface": "eth1", "mode": "proxy",
                            "program": program } })
    };
    let of = |program| warnings(configured(program), Programs::from([program, "ipxe.efi"]));
    let expected = "netboot.server.program | shimx64.efi leads to GRUB, which in proxy mode hears \
                    the other DHCP server only and finds no configuration | have that server name \
                    shimx64.efi and this server (siaddr; dnsmasq: dhcp-boot=shimx64.efi,,ADDRESS), \
                    or leave the program to iPXE";
    assert_eq!(of("shimx64.efi"), [expected]);
    assert!(of("snponly.efi").is_empty());
}
