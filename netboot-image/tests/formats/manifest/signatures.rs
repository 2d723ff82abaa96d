//! The list of signatures.

use netboot_image::SignatureForm;
use serde_json::{Value, json};

use super::{DIGEST, read, schema, sound};

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
