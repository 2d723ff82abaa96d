//! The fields of every manifest.

use std::time::{Duration, SystemTime};

use netboot_image::BootMethod;
use serde_json::{Value, json};

use super::{DIGEST, read, schema, sound, with};

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
    let BootMethod::Linux(linux) = manifest.boot() else {
        panic!("a Linux image")
    };
    let annotations: Vec<_> = manifest.annotations().iter().collect();
    assert_eq!(
        annotations,
        [
            (
                &"example.org/owner".to_owned(),
                &"the team\nof racks".to_owned()
            ),
            (&"ticket".to_owned(), &String::new()),
        ]
    );
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
