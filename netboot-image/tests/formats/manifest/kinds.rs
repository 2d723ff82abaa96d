//! Kinds of image.

use netboot_image::BootMethod;
use serde_json::{Value, json};

use super::{file, other, read, schema, sound};

#[test]
fn each_kind_is_read_and_written_as_it_was() {
    let mut program = other("efi", "program", file("program.efi"));
    program["files"] = json!([file("seed"), file("root.squashfs")]);
    let mut unified = other("efi", "program", file("program.efi"));
    unified["version"] = json!("1.1");
    unified["program"]["unified"] =
        json!({ "cmdline_limit": 2047, "cmdline": ["quiet"], "os": "a field of a later version" });
    unified["program"]["cmdline"] = json!(["console=ttyS0"]);
    let mut disc = other("iso", "disc", file("disc.iso"));
    disc["disc"]["volume"] = json!("a field of a later version");
    disc.as_object_mut()
        .expect("an object")
        .remove("architecture");
    let chain = other("chain", "url", json!("https://boot.example/menu.ipxe"));
    for (manifest, kind, files) in [
        (program, "efi", vec!["program.efi", "seed", "root.squashfs"]),
        (unified, "efi", vec!["program.efi"]),
        (disc, "iso", vec!["disc.iso"]),
        (chain, "chain", vec![]),
    ] {
        assert!(schema().is_valid(&manifest), "{manifest}");
        let read = read(&manifest).expect(kind);
        assert_eq!(read.boot().kind(), kind);
        let names: Vec<_> = read.files().map(|file| file.name().as_str()).collect();
        assert_eq!(names, files);
        match read.boot() {
            BootMethod::Efi(efi) => assert_eq!(efi.program().name(), "program.efi"),
            BootMethod::Iso(iso) => assert_eq!(iso.disc().size(), 3),
            BootMethod::Chain(chain) => assert_eq!(chain.url(), "https://boot.example/menu.ipxe"),
            _ => panic!("{kind}"),
        }
        let written: Value = serde_json::from_str(&read.to_json()).expect("JSON");
        assert_eq!(written, manifest);
    }
}

#[test]
fn a_unified_kernels_arguments_are_its_own_and_those_behind_and_are_held_to_its_limit() {
    let uki = |limit: u32| {
        let mut uki = other("efi", "program", file("program.efi"));
        uki["program"]["unified"] = json!({ "cmdline_limit": limit, "cmdline": ["quiet"] });
        uki["program"]["cmdline"] = json!(["console=ttyS0"]);
        read(&uki)
    };
    let manifest = uki(19).expect("as long as it may be");
    let BootMethod::Efi(efi) = manifest.boot() else {
        panic!("a program")
    };
    assert_eq!(
        efi.arguments().collect::<Vec<_>>(),
        ["quiet", "console=ttyS0"]
    );
    assert_eq!(efi.cmdline(), ["console=ttyS0"]);
    let error = uki(18).expect_err("too long").to_string();
    assert!(
        error.ends_with("has 19 bytes, and the kernel cuts it at 18"),
        "{error}"
    );
    let mut program = other("efi", "program", file("program.efi"));
    program["program"]["cmdline"] = json!(["a b"]);
    assert!(read(&program).is_err());
}

#[test]
fn a_field_of_another_kind_is_refused_here_and_by_the_schema() {
    let mut both = sound();
    both["url"] = json!("http://a/b");
    let mut disc = other("iso", "disc", file("disc.iso"));
    disc["cmdline"] = json!(["quiet"]);
    for (manifest, error) in [
        (both, "an image of kind linux has no field url"),
        (disc, "an image of kind iso has no field cmdline"),
        (
            other("efi", "disc", file("disc.iso")),
            "an image of kind efi needs the field program",
        ),
        (
            other("chain", "kernel", json!(null)),
            "an image of kind chain needs the field url",
        ),
    ] {
        assert_eq!(read(&manifest).expect_err("refused").to_string(), error);
        assert!(!schema().is_valid(&manifest), "{manifest}");
    }
}

#[test]
fn an_address_is_absolute_and_the_same_on_every_machine() {
    let chain = |url: &str| other("chain", "url", json!(url));
    for url in [
        "http://192.168.0.1/boot.ipxe",
        "HTTPS://user@host:8443/a?mac=x#y",
        "tftp://host/undionly.kpxe",
        "http://[fd00::1]/a",
        "ftp://h",
        "nfs://h/a",
    ] {
        assert!(read(&chain(url)).is_ok(), "{url}");
        assert!(schema().is_valid(&chain(url)), "{url}");
    }
    let long = format!("http://host/{}", "x".repeat(2048));
    for url in [
        "",
        "menu.ipxe",
        "/menu.ipxe",
        "file:///etc/passwd",
        "javascript:x",
        "http://",
        "http:///a",
        "http://host/a b",
        "http://host/\n",
        "http://höst/",
        "http://host/${mac}",
        "thttp://host/",
        &long,
    ] {
        assert!(read(&chain(url)).is_err(), "{url}");
        assert!(!schema().is_valid(&chain(url)), "{url}");
    }
}
