//! `manifest.json`: what is read, what is refused and where, and that the schema says the same.

use std::time::{Duration, SystemTime};

use netboot_image::{Boot, Manifest, ManifestError, SignatureForm};
use serde_json::{Value, json};

const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn sound() -> Value {
    json!({
        "version": "1.0", "name": "debian-12", "generation": 3, "created": "2026-11-23T05:26:58Z",
        "label": "Debian 12", "description": "two\nlines", "architecture": "x86_64", "kind": "linux",
        "kernel": { "file": "bzImage", "size": 8222656, "digest": DIGEST, "version": "6.1.0", "cmdline_limit": 2047 },
        "initrds": [{ "file": "initrd", "size": 40810276, "digest": DIGEST }],
        "cmdline": ["console=ttyS0", "init=/nix/store/0c5w-nixos-system-a-24.05/init"],
        "source": { "tool": "netboot image add", "from": ["/boot/vmlinuz"] },
    })
}

fn read(value: &Value) -> Result<Manifest, ManifestError> {
    Manifest::from_json(value.to_string().as_bytes())
}

fn with(pointer: &str, value: Value) -> Value {
    let mut manifest = sound();
    *manifest
        .pointer_mut(pointer)
        .unwrap_or_else(|| panic!("no {pointer}")) = value;
    manifest
}

fn without(object: &str, key: &str) -> Value {
    let mut manifest = sound();
    manifest
        .pointer_mut(object)
        .and_then(Value::as_object_mut)
        .expect("an object")
        .remove(key);
    manifest
}

fn schema() -> jsonschema::Validator {
    let schema = include_str!("../manifest.schema.json");
    jsonschema::validator_for(&serde_json::from_str(schema).expect("JSON")).expect("a schema")
}

#[test]
fn every_field_is_read() {
    let manifest = read(&sound()).expect("a sound manifest");
    assert_eq!(manifest.version().to_string(), "1.0");
    assert_eq!(manifest.name().as_str(), "debian-12");
    assert_eq!(manifest.generation().number(), 3);
    // `date -u -d @1795411618` gives this time.
    assert_eq!(
        manifest.created(),
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_411_618)
    );
    assert_eq!(
        (manifest.label(), manifest.description()),
        ("Debian 12", Some("two\nlines"))
    );
    assert_eq!(
        manifest.architecture().map(|it| it.as_str()),
        Some("x86_64")
    );
    let Boot::Linux(linux) = manifest.boot() else {
        panic!("a Linux image")
    };
    assert_eq!(linux.kernel_version(), Some("6.1.0"));
    assert_eq!(linux.cmdline_limit(), 2047);
    assert_eq!(linux.cmdline().len(), 2);
    let files: Vec<_> = manifest
        .files()
        .map(|file| (file.name().as_str(), file.size()))
        .collect();
    assert_eq!(files, [("bzImage", 8_222_656), ("initrd", 40_810_276)]);
    assert_eq!(
        manifest
            .file("initrd")
            .map(|file| file.digest().to_string())
            .as_deref(),
        Some(DIGEST)
    );
    assert_eq!(manifest.file("manifest.json"), None);
    let source = manifest.source().expect("a source");
    assert_eq!(
        (source.tool(), source.from()),
        (Some("netboot image add"), &["/boot/vmlinuz".to_owned()][..])
    );
}

#[test]
fn what_is_written_says_what_was_read() {
    let written: Value =
        serde_json::from_str(&read(&sound()).expect("sound").to_json()).expect("JSON");
    assert_eq!(written, sound());
    let mut short = sound();
    for key in ["label", "description", "source"] {
        short.as_object_mut().expect("an object").remove(key);
    }
    let manifest = read(&short).expect("these are optional");
    assert_eq!(manifest.label(), "debian-12");
    let written: Value = serde_json::from_str(&manifest.to_json()).expect("JSON");
    assert_eq!(written, short);
}

#[test]
fn fields_of_a_later_version_survive_a_rewrite_at_every_level() {
    let mut later = sound();
    later["version"] = json!("1.7");
    later["signatures"] = json!([
        { "form": "minisign", "of": "bzImage", "file": "bzImage.minisig", "size": 9, "digest": DIGEST, "key": "RWQ" },
    ]);
    later["measurements"] = json!([{ "register": 4 }]);
    later["kernel"]["secure_boot"] = json!(true);
    later["initrds"][0]["compression"] = json!({ "name": "zstd", "level": 19, "ratio": 0.25 });
    later["source"]["revision"] = json!(null);
    let written: Value =
        serde_json::from_str(&read(&later).expect("sound").to_json()).expect("JSON");
    assert_eq!(written, later);
    assert!(schema().is_valid(&later));
}

#[test]
fn times_are_read_with_any_offset_and_written_in_utc() {
    let manifest = read(&with("/created", json!("2026-11-23T06:26:58.75+01:00"))).expect("a time");
    assert!(
        manifest
            .to_json()
            .contains("\"created\": \"2026-11-23T05:26:58Z\"")
    );
}

#[test]
fn what_is_wrong_is_refused_here_and_by_the_schema() {
    let schema = schema();
    assert!(schema.is_valid(&sound()));
    let long = "x".repeat(64);
    let wrong = [
        with("/version", json!("2.0")),
        with("/version", json!("1")),
        with("/version", json!("1.00")),
        with("/version", json!(1)),
        with("/name", json!("../etc")),
        with("/name", json!(long)),
        with("/generation", json!(0)),
        with("/generation", json!(4_294_967_296_u64)),
        with("/generation", json!("3")),
        with("/created", json!("yesterday")),
        with("/created", json!(1_795_411_618)),
        with("/label", json!("")),
        with("/label", json!("x".repeat(201))),
        with("/architecture", json!("vax")),
        with("/kind", json!("floppy")),
        with("/kind", json!("iso")),
        with("/kind", json!("efi")),
        with("/kernel", json!("bzImage")),
        with("/kernel/file", json!("/boot/vmlinuz")),
        with("/kernel/file", json!(".hidden")),
        with("/kernel/size", json!(-1)),
        with("/kernel/size", json!(1.5)),
        with("/kernel/digest", json!(DIGEST.to_uppercase())),
        with("/kernel/digest", json!(&DIGEST[7..])),
        with("/kernel/cmdline_limit", json!(-1)),
        with("/initrds", json!({})),
        with("/initrds/0/digest", json!("sha256:")),
        with("/cmdline", json!("console=ttyS0")),
        with("/cmdline/0", json!("")),
        without("", "name"),
        without("", "cmdline"),
        without("", "kernel"),
        without("", "initrds"),
        without("", "architecture"),
        without("/kernel", "digest"),
        without("/kernel", "cmdline_limit"),
        without("/initrds/0", "size"),
    ];
    for manifest in wrong {
        assert!(read(&manifest).is_err(), "{manifest}");
        assert!(!schema.is_valid(&manifest), "{manifest}");
    }
}

/// A manifest of another kind than Linux, with the field that the kind is about.
fn other(kind: &str, field: &str, content: Value) -> Value {
    let mut manifest = sound();
    let object = manifest.as_object_mut().expect("an object");
    for linux in ["kernel", "initrds", "cmdline"] {
        object.remove(linux);
    }
    object.insert("kind".to_owned(), json!(kind));
    object.insert(field.to_owned(), content);
    manifest
}

fn file(name: &str) -> Value {
    json!({ "file": name, "size": 3, "digest": DIGEST })
}

#[test]
fn each_kind_is_read_and_written_as_it_was() {
    let mut program = other("efi", "program", file("program.efi"));
    program["files"] = json!([file("seed"), file("root.squashfs")]);
    let mut disc = other("iso", "disc", file("disc.iso"));
    disc["disc"]["volume"] = json!("a field of a later version");
    disc.as_object_mut()
        .expect("an object")
        .remove("architecture");
    let chain = other("chain", "url", json!("https://boot.example/menu.ipxe"));
    for (manifest, kind, files) in [
        (program, "efi", vec!["program.efi", "seed", "root.squashfs"]),
        (disc, "iso", vec!["disc.iso"]),
        (chain, "chain", vec![]),
    ] {
        assert!(schema().is_valid(&manifest), "{manifest}");
        let read = read(&manifest).expect(kind);
        assert_eq!(read.boot().kind(), kind);
        let names: Vec<_> = read.files().map(|file| file.name().as_str()).collect();
        assert_eq!(names, files);
        match read.boot() {
            Boot::Efi(efi) => assert_eq!(efi.program().name(), "program.efi"),
            Boot::Iso(iso) => assert_eq!(iso.disc().size(), 3),
            Boot::Chain(chain) => assert_eq!(chain.url(), "https://boot.example/menu.ipxe"),
            _ => panic!("{kind}"),
        }
        let written: Value = serde_json::from_str(&read.to_json()).expect("JSON");
        assert_eq!(written, manifest);
    }
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
fn signatures_are_files_of_the_image_save_those_over_the_sums() {
    let signed = |signatures: Value| {
        let mut manifest = sound();
        manifest["signatures"] = signatures;
        manifest
    };
    let cms = json!({ "form": "cms", "of": "bzImage", "file": "bzImage.p7s", "size": 7, "digest": DIGEST });
    let sums = json!({ "form": "openpgp", "of": "SHA256SUMS", "file": "SHA256SUMS.sig" });
    let both = signed(json!([cms, sums]));
    assert!(schema().is_valid(&both));
    let manifest = read(&both).expect("sound");
    let names: Vec<_> = manifest.files().map(|file| file.name().as_str()).collect();
    assert_eq!(names, ["bzImage", "initrd", "bzImage.p7s"]);
    let [kernel, all] = manifest.signatures() else {
        panic!("two signatures")
    };
    assert_eq!(
        (kernel.form(), kernel.of().as_str()),
        (&SignatureForm::Cms, "bzImage")
    );
    assert_eq!(kernel.listed().map(|file| file.size()), Some(7));
    assert_eq!(
        (all.form(), all.file().as_str()),
        (&SignatureForm::OpenPgp, "SHA256SUMS.sig")
    );
    let written: Value = serde_json::from_str(&manifest.to_json()).expect("JSON");
    assert_eq!(written, both);

    let with = |pointer: &str, value: Value| {
        let mut wrong = both.clone();
        *wrong.pointer_mut(pointer).expect(pointer) = value;
        wrong
    };
    let without = |pointer: &str, key: &str| {
        let mut wrong = both.clone();
        let object = wrong.pointer_mut(pointer).and_then(Value::as_object_mut);
        object.expect(pointer).remove(key);
        wrong
    };
    for wrong in [
        without("/signatures/0", "digest"),
        without("/signatures/0", "form"),
        with("/signatures/0/file", json!("../key")),
        with("/signatures/0/digest", json!("sha256:")),
        with("/signatures/0/of", json!("SHA256SUMS")),
        with("/signatures/1/of", json!("initrd")),
        with("/signatures/0/form", json!("x".repeat(33))),
    ] {
        assert!(read(&wrong).is_err(), "{wrong}");
        assert!(!schema().is_valid(&wrong), "{wrong}");
    }
    // What no schema can say.
    for wrong in [
        with("/signatures/0/of", json!("initrd-2")),
        with("/signatures/0/file", json!("INITRD")),
        with("/signatures/1/file", json!("manifest.json")),
        with("/signatures/1/file", json!("bzImage.p7s")),
    ] {
        assert!(read(&wrong).is_err(), "{wrong}");
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

#[test]
fn what_no_schema_can_say_is_refused_too() {
    let listed_twice = json!([{ "file": "BZIMAGE", "size": 1, "digest": DIGEST }]);
    let many: Vec<_> = (0..33)
        .map(|n| json!({ "file": format!("i{n}"), "size": 1, "digest": DIGEST }))
        .collect();
    let cases = [
        (
            with("/name", json!("nul.x")),
            "name \"nul.x\": \"nul\" is the name of a device on Windows",
        ),
        (
            with("/initrds/0/file", json!("SHA256SUMS")),
            "file \"SHA256SUMS\": is a name that every image already has",
        ),
        (
            with("/initrds", listed_twice),
            "file \"BZIMAGE\": is listed twice, or differs from another name only in case",
        ),
        (
            with("/initrds", json!(many)),
            "initrds \"33\": are more than an image may have",
        ),
        (
            with("/label", json!("a\u{7}b")),
            "label \"a\\u{7}b\": holds a control character",
        ),
        (
            other("iso", "disc", file("manifest.json")),
            "file \"manifest.json\": is a name that every image already has",
        ),
        (with("/label", json!(" ")), "label \" \": is blank"),
        (
            with("/cmdline/1", json!("init=/nix/store/.../init")),
            "cmdline \"init=/nix/store/.../init\": holds the placeholder \"...\" instead of a path",
        ),
        (
            with("/cmdline/1", json!("a b")),
            "cmdline \"a b\": holds white space outside of double quotes",
        ),
        (
            with("/kernel/cmdline_limit", json!(50)),
            "cmdline \"console=ttyS0 init=/nix/store/0c5w-nixos-system-a-24.05/init\": has 60 bytes, and the kernel cuts it at 50",
        ),
    ];
    for (manifest, error) in cases {
        assert_eq!(read(&manifest).expect_err("refused").to_string(), error);
    }
}

#[test]
fn an_error_says_where() {
    let text = b"{ \"version\": \"1.0\",\n  \"kind\": \"linux\",\n  \"name\": 7 }";
    assert!(matches!(
        Manifest::from_json(text),
        Err(ManifestError::Json { line: 3, .. })
    ));
    assert!(matches!(
        Manifest::from_json(b""),
        Err(ManifestError::Json { .. })
    ));
    assert!(matches!(
        Manifest::from_json(b"{} {}"),
        Err(ManifestError::Json { .. })
    ));
    let long = vec![b' '; Manifest::MAX_LEN + 1];
    assert_eq!(
        Manifest::from_json(&long),
        Err(ManifestError::TooLong {
            len: Manifest::MAX_LEN + 1
        })
    );
    let deep = format!("{{\"version\":\"1.0\",\"kind\":{}", "[".repeat(100_000));
    assert!(matches!(
        Manifest::from_json(deep.as_bytes()),
        Err(ManifestError::Json { .. })
    ));
}
