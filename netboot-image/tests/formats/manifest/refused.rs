//! What is refused, and what the error says.

use netboot_image::{Manifest, ManifestError};
use serde_json::{Value, json};

use super::{DIGEST, file, other, read, schema, sound, with, without};

fn many(count: usize) -> Value {
    let notes = (0..count).map(|i| (i.to_string(), json!("x")));
    Value::Object(notes.collect())
}

#[test]
fn what_is_wrong_is_refused_here_and_by_the_schema() {
    let schema = schema();
    assert!(schema.is_valid(&sound()));
    let most = with("/annotations", many(64));
    assert!(read(&most).is_ok() && schema.is_valid(&most));
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
        with("/annotations", json!("a note")),
        with("/annotations", json!({ "": "no key" })),
        with("/annotations", json!({ "a key": "with a blank" })),
        with("/annotations", json!({ "x".repeat(129): "" })),
        with("/annotations", json!({ "number": 1 })),
        with("/annotations", json!({ "tab": "a\tb" })),
        with("/annotations", json!({ "long": "x".repeat(4097) })),
        with("/annotations", many(65)),
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
        Manifest::decode(text),
        Err(ManifestError::Json { line: 3, .. })
    ));
    assert!(matches!(
        Manifest::decode(b""),
        Err(ManifestError::Json { .. })
    ));
    assert!(matches!(
        Manifest::decode(b"{} {}"),
        Err(ManifestError::Json { .. })
    ));
    let long = vec![b' '; Manifest::MAX_LEN + 1];
    assert_eq!(
        Manifest::decode(&long),
        Err(ManifestError::TooLong {
            len: Manifest::MAX_LEN + 1
        })
    );
    let deep = format!("{{\"version\":\"1.0\",\"kind\":{}", "[".repeat(100_000));
    assert!(matches!(
        Manifest::decode(deep.as_bytes()),
        Err(ManifestError::Json { .. })
    ));
}
