//! Invariants on names and lines that nobody thought of.

use netboot_image::{Digest, FileName, ImageName, Manifest, Sha256Sums, SumsEntry, SumsForm};
use proptest::prelude::*;

/// Bytes that a file's name may have on Unix, those that make trouble more often than by chance.
fn file_name() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        proptest::sample::select(b" \t*\\\n\r()=#-n/".to_vec()),
        1_u8..=255,
    ];
    proptest::collection::vec(byte, 1..20)
}

fn form() -> impl Strategy<Value = SumsForm> {
    proptest::sample::select(vec![SumsForm::Text, SumsForm::Binary, SumsForm::Tagged])
}

/// Text in which lines of sums and their pieces are likely.
fn nearly_sums() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_vec()),
        proptest::sample::select(vec![
            &b"SHA256"[..],
            b" (",
            b") = ",
            b"\\",
            b" ",
            b"  ",
            b" *",
            b"\n",
            b"\r\n",
            b"#"
        ])
        .prop_map(<[u8]>::to_vec),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn every_name_survives_writing_and_reading(
        entries in proptest::collection::vec((file_name(), form(), any::<[u8; 32]>()), 0..6),
    ) {
        let entries = entries.into_iter().map(|(name, form, digest)| {
            SumsEntry::new(Digest::from_bytes(digest), name, form)
        });
        let sums: Sha256Sums = entries.collect();
        prop_assert_eq!(Sha256Sums::decode(&sums.to_bytes()), Ok(sums));
    }

    #[test]
    fn what_was_read_is_written_so_that_it_reads_the_same(text in nearly_sums()) {
        let read: Vec<SumsEntry> = Sha256Sums::lines(&text).filter_map(Result::ok).collect();
        let sums: Sha256Sums = read.iter().cloned().collect();
        let again = Sha256Sums::decode(&sums.to_bytes());
        let again = again.map_err(|error| TestCaseError::fail(error.to_string()))?;
        for (one, other) in read.iter().zip(again.entries()) {
            prop_assert_eq!((one.digest(), one.name()), (other.digest(), other.name()));
        }
        prop_assert_eq!(read.len(), again.entries().len());
    }

    #[test]
    fn no_name_leaves_the_directory_it_is_joined_to(text in "\\PC{0,8}|[./@a-c\\\\~-]{0,8}") {
        let dir = std::path::Path::new("/srv/images");
        for name in [
            ImageName::parse(&text).map(String::from),
            FileName::parse(&text).map(String::from),
        ].into_iter().flatten() {
            let path = dir.join(&name);
            prop_assert_eq!(path.parent(), Some(dir));
            prop_assert_eq!(path.components().count(), dir.components().count() + 1);
            prop_assert!(!name.starts_with('.') && !name.contains(".."));
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }

    #[test]
    fn digests_survive_their_text(bytes in any::<[u8; 32]>()) {
        let digest = Digest::from_bytes(bytes);
        prop_assert_eq!(digest.to_string().parse(), Ok(digest));
        prop_assert_eq!(digest.hex().to_string().to_uppercase().parse(), Ok(digest));
    }

    #[test]
    fn a_manifest_that_reads_is_written_so_that_it_reads_the_same(
        label in "\\PC{1,20}", extra in "[a-z]{1,8}", number in any::<i64>(), argument in "[!-~]{1,12}",
    ) {
        let text = serde_json::json!({
            "version": "1.3", "name": "a", "generation": 1, "created": "2026-11-23T05:26:58.25+01:00", "label": label,
            "architecture": "arm64", "kind": "linux", "cmdline": [argument], "initrds": [],
            "kernel": {
                "file": "Image", "size": 1, "cmdline_limit": 2047, format!("x-{extra}"): number,
                "digest": Digest::of(b"").to_string(),
            },
            format!("x-{extra}"): { "nested": [number, null, 0.5] },
        });
        if let Ok(manifest) = Manifest::decode(text.to_string().as_bytes()) {
            prop_assert_eq!(Manifest::decode(manifest.to_json().as_bytes()), Ok(manifest));
        }
    }
}
