//! `manifest.json`: what is read, what is refused and where, and that the schema says the same.

mod fields;
mod kinds;
mod refused;
mod signatures;

use netboot_image::{Manifest, ManifestError};
use serde_json::{Value, json};

pub(super) const DIGEST: &str =
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

pub(super) fn sound() -> Value {
    json!({
        "version": "1.0", "name": "debian-12", "generation": 3, "created": "2026-11-23T05:26:58Z",
        "label": "Debian 12", "description": "two\nlines", "architecture": "x86_64", "kind": "linux",
        "kernel": { "file": "bzImage", "size": 8222656, "digest": DIGEST, "version": "6.1.0", "cmdline_limit": 2047 },
        "initrds": [{ "file": "initrd", "size": 40810276, "digest": DIGEST }],
        "cmdline": ["console=ttyS0", "init=/nix/store/0c5w-nixos-system-a-24.05/init"],
        "source": { "tool": "netboot image add", "from": ["/boot/vmlinuz"] },
        "annotations": { "example.org/owner": "the team\nof racks", "ticket": "" },
    })
}

pub(super) fn read(value: &Value) -> Result<Manifest, ManifestError> {
    Manifest::decode(value.to_string().as_bytes())
}

pub(super) fn with(pointer: &str, value: Value) -> Value {
    let mut manifest = sound();
    *manifest
        .pointer_mut(pointer)
        .unwrap_or_else(|| panic!("no {pointer}")) = value;
    manifest
}

pub(super) fn without(object: &str, key: &str) -> Value {
    let mut manifest = sound();
    manifest
        .pointer_mut(object)
        .and_then(Value::as_object_mut)
        .expect("an object")
        .remove(key);
    manifest
}

pub(super) fn schema() -> jsonschema::Validator {
    let schema = include_str!("../../../manifest.schema.json");
    jsonschema::validator_for(&serde_json::from_str(schema).expect("JSON")).expect("a schema")
}

/// A manifest of another kind than Linux, with the field that the kind is about.
pub(super) fn other(kind: &str, field: &str, content: Value) -> Value {
    let mut manifest = sound();
    let object = manifest.as_object_mut().expect("an object");
    for linux in ["kernel", "initrds", "cmdline"] {
        object.remove(linux);
    }
    object.insert("kind".to_owned(), json!(kind));
    object.insert(field.to_owned(), content);
    manifest
}

pub(super) fn file(name: &str) -> Value {
    json!({ "file": name, "size": 3, "digest": DIGEST })
}
