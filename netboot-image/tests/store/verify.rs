//! Verification: each kind of damage by name.

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use netboot_image::{Digest, StoreError};

use crate::common::{Bench, kernel, name};

#[test]
fn verification_names_damaged_missing_and_extra_files() {
    let bench = Bench::new();
    bench.publish(bench.image("good", "1")).expect("published");
    bench.publish(bench.image("bad", "2")).expect("published");
    let verify = || bench.store.verify_all().expect("reports");
    let all: Vec<_> = verify()
        .iter()
        .map(|report| (report.name.clone(), report.is_whole(), report.files))
        .collect();
    assert_eq!(
        all,
        [("bad".to_owned(), true, 3), ("good".to_owned(), true, 3)]
    );

    let dir = bench.store.root().join("bad");
    let mut content = kernel("2");
    content[1030] ^= 1;
    let of = |path: &Path| fs::metadata(path).and_then(|it| it.modified());
    let time = of(&dir.join("bzImage")).expect("its time");
    fs::remove_file(dir.join("bzImage")).expect("removed");
    fs::write(dir.join("bzImage"), &content).expect("damaged");
    // As long as it was, and of the same time.
    let kernel_file = File::options().write(true).open(dir.join("bzImage"));
    let dated = kernel_file.and_then(|file| file.set_modified(time));
    dated.expect("the time is set");
    fs::remove_file(dir.join("initrd")).expect("removed");
    fs::write(dir.join("stray"), "").expect("a stray file");
    let reports = verify();
    assert!(reports[1].is_whole());
    let damage: Vec<_> = reports[0].damage.iter().map(ToString::to_string).collect();
    let (expected, found) = (Digest::of(&kernel("2")), Digest::of(&content));
    assert_eq!(
        damage,
        [
            "stray: not in the manifest".to_owned(),
            format!("bzImage: expected {expected}, found {found}"),
            format!("initrd: missing, expected {}", Digest::of(b"initrd 2")),
        ]
    );

    let sums = bench.store.root().join("good/SHA256SUMS");
    let text = fs::read_to_string(&sums).expect("the sums");
    fs::remove_file(&sums).expect("removed");
    fs::write(&sums, text.replace("  initrd", "  initrd-2")).expect("written");
    let report = bench.store.verify(&name("good"), None).expect("a report");
    let damage: Vec<_> = report.damage.iter().map(ToString::to_string).collect();
    assert_eq!(
        damage,
        ["SHA256SUMS: missing, or other files than in manifest.json"]
    );
}

#[test]
fn verification_reads_every_byte_and_stops_when_told() {
    let bench = Bench::new();
    let long = bench
        .image("a", "1")
        .initrd(bench.file("long", vec![7; 1 << 20]));
    let size: u64 = bench
        .publish(long)
        .expect("published")
        .manifest
        .files()
        .map(|file| file.size())
        .sum();
    let last = std::sync::Mutex::new(0);
    let report = bench.store.verify_with(&name("a"), None, &|at| {
        assert!(at.done <= at.total);
        assert!(
            at.files_done < 4 && at.files == 4,
            "the last file is not done before its bytes are"
        );
        let mut last = last.lock().expect("not poisoned");
        *last = at.done.max(*last);
        ControlFlow::Continue(())
    });
    let report = report.expect("a report");
    assert!(report.is_whole());
    assert_eq!(report.bytes, last.into_inner().expect("not poisoned"));
    assert!(report.bytes > size, "the manifest is read too");
    let stopped = bench.store.verify_all_with(&|_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(StoreError::Cancelled)));
}

#[test]
fn every_generation_is_verified_and_what_they_share_is_read_once() {
    let bench = Bench::new();
    for label in ["one", "two", "three"] {
        let image = bench.image("a", "1").label(label);
        bench.publish(image).expect("published");
    }
    let shared = u64::try_from(kernel("1").len() + b"initrd 1".len()).expect("small");
    let manifests: u64 = (1..=3)
        .map(|generation| {
            let path = format!(".store/images/a/{generation}/manifest.json");
            let file = fs::metadata(bench.store.root().join(path));
            file.expect("a manifest").len()
        })
        .sum();
    let total = std::sync::Mutex::new(0);
    let reports = bench.store.verify_all_with(&|at| {
        *total.lock().expect("not poisoned") = at.total;
        ControlFlow::Continue(())
    });
    let reports = reports.expect("reports");
    assert_eq!(
        total.into_inner().expect("not poisoned"),
        shared + manifests
    );
    let numbers: Vec<_> = reports
        .iter()
        .map(|report| (report.generation.map(|it| it.number()), report.files))
        .collect();
    assert_eq!(numbers, [(Some(1), 3), (Some(2), 3), (Some(3), 3)]);
    let bytes: u64 = reports.iter().map(|report| report.bytes).sum();
    assert_eq!(bytes, 3 * shared + manifests);

    // Damage to what they share is damage to each.
    let file = bench.store.root().join(".store/images/a/1/initrd");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("one's own file");
    fs::write(&file, "initrd 2").expect("damaged");
    let reports = bench.store.verify_all().expect("reports");
    assert!(
        reports.iter().all(|report| report.damage.len() == 1),
        "{reports:?}"
    );
    let current = bench
        .store
        .verify_current_with(&|_| ControlFlow::Continue(()));
    assert_eq!(current.expect("reports").len(), 1);
}

#[test]
fn a_manifest_that_was_altered_is_damage() {
    let bench = Bench::new();
    bench.publish(bench.image("a", "1")).expect("published");
    let path = bench.store.root().join("a/manifest.json");
    let text = fs::read_to_string(&path).expect("a manifest");
    fs::remove_file(&path).expect("removed");
    fs::write(&path, text.replace("ttyS0", "ttyS1")).expect("written");
    let report = bench.store.verify(&name("a"), None).expect("a report");
    assert!(
        report.damage[0]
            .to_string()
            .starts_with("manifest.json: expected sha256:"),
        "{report:?}"
    );
}
