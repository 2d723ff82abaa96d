//! Reading: what is listed and opened, what is refused, and how a reader learns of changes.

use std::fs;
use std::os::unix::fs::symlink;

use netboot_image::{FileRole, NewImage, Store, StoreError};

use crate::common::{Bench, name};

#[test]
fn the_link_is_relative_so_that_the_store_may_move() {
    let bench = Bench::new();
    bench.publish(bench.image("a", "1")).expect("published");
    let moved = bench.dir.path().join("elsewhere");
    fs::rename(bench.store.root(), &moved).expect("moved");
    let store = Store::open(&moved).expect("a store");
    assert!(store.image(&name("a"), None).is_ok());
    assert!(moved.join("a/bzImage").exists());
}

#[test]
fn only_what_the_manifest_lists_is_opened() {
    let bench = Bench::new();
    let manifest = bench
        .publish(bench.image("a", "1"))
        .expect("published")
        .manifest;
    let dir = bench.store.root().join("a");
    fs::write(dir.join("stray"), "not published").expect("a stray file");
    let open = |path: &str| bench.store.open_file(&path.parse().expect("a path"));
    assert!(matches!(
        open("a/stray"),
        Err(StoreError::NoSuchFile { .. })
    ));
    assert!(matches!(
        open("a/@7/bzImage"),
        Err(StoreError::NoSuchGeneration { .. })
    ));
    assert!(matches!(
        open("b/bzImage"),
        Err(StoreError::NoSuchImage { .. })
    ));
    let sums = open("a/SHA256SUMS").expect("opened");
    assert_eq!(
        (sums.role, sums.generation),
        (FileRole::Sums, manifest.generation())
    );
    assert_eq!(
        open("a/manifest.json").expect("opened").role,
        FileRole::Manifest
    );

    fs::remove_file(dir.join("initrd")).expect("removed");
    assert!(matches!(open("a/initrd"), Err(StoreError::Damaged { .. })));
    symlink("/etc/passwd", dir.join("initrd")).expect("a link");
    let error = open("a/initrd").expect_err("a link is no file of an image");
    assert!(
        error
            .to_string()
            .ends_with("initrd is damaged: it is a symbolic link"),
        "{error}"
    );
    fs::remove_file(dir.join("bzImage")).expect("removed");
    fs::write(dir.join("bzImage"), "short").expect("written");
    let error = open("a/bzImage").expect_err("another length");
    assert!(
        error
            .to_string()
            .ends_with("it has 5 bytes instead of 1088"),
        "{error}"
    );
}

#[test]
fn a_broken_image_stops_no_other_and_is_named() {
    let bench = Bench::new();
    for image in ["good", "unreadable", "later", "lost", "other"] {
        bench.publish(bench.image(image, "1")).expect("published");
    }
    let root = bench.store.root();
    let rewrite = |image: &str, from: &str, to: &str| {
        let path = root.join(image).join("manifest.json");
        let text = fs::read_to_string(&path).expect("a manifest");
        fs::remove_file(&path).expect("removed");
        assert!(text.contains(from));
        fs::write(&path, text.replace(from, to)).expect("written");
    };
    rewrite("unreadable", "{", "<");
    rewrite("later", "\"kind\": \"linux\"", "\"kind\": \"floppy\"");
    rewrite("other", "\"name\": \"other\"", "\"name\": \"good\"");
    fs::remove_dir_all(root.join(".store/images/lost/1")).expect("removed");
    fs::create_dir(root.join("foreign")).expect("made");
    fs::write(root.join("no name"), "").expect("made");
    symlink("/etc/1", root.join("outside")).expect("made");

    let listing = bench.store.list().expect("a listing");
    let images: Vec<_> = listing
        .images
        .iter()
        .map(|image| image.name().as_str())
        .collect();
    assert_eq!(images, ["good"]);
    let unusable: Vec<_> = listing
        .unusable
        .iter()
        .map(|problem| problem.name.as_str())
        .collect();
    assert_eq!(
        unusable,
        [
            "foreign",
            "later",
            "lost",
            "no name",
            "other",
            "outside",
            "unreadable"
        ]
    );
    let later = &listing.unusable[1].error;
    assert_eq!(
        later.to_string(),
        "image later: images of kind \"floppy\" are not known to this version"
    );

    // What the store did not put there it neither replaces nor removes; what is broken, it does
    // both to.
    assert!(matches!(
        bench.publish(bench.image("foreign", "1")),
        Err(StoreError::NotOurs { .. })
    ));
    assert!(matches!(
        bench.store.remove(&name("outside")),
        Err(StoreError::NotOurs { .. })
    ));
    bench.publish(bench.image("lost", "2")).expect("published");
    bench.store.remove(&name("unreadable")).expect("removed");
    assert_eq!(bench.store.list().expect("a listing").images.len(), 2);
}

#[test]
fn the_revision_tells_of_every_change_by_anyone() {
    let bench = Bench::new();
    let reader = Store::open(bench.store.root()).expect("a second handle");
    let mut seen = vec![reader.revision().expect("a revision")];
    let mut changed = |what: &str| {
        let revision = reader.revision().expect("a revision");
        assert!(!seen.contains(&revision), "{what}");
        assert_eq!(reader.revision().expect("a revision"), revision);
        seen.push(revision);
    };
    // As fast as can be, so that time stamps alone would not do.
    for number in 0..20 {
        bench
            .publish(bench.image("a", &number.to_string()))
            .expect("published");
        changed("published");
    }
    bench.store.remove(&name("a")).expect("removed");
    changed("removed");
    let refused = bench.publish(NewImage::linux(name("a"), bench.file("k", "")));
    assert!(refused.is_err());
    assert!(
        seen.contains(&reader.revision().expect("a revision")),
        "a refusal is no change"
    );
}

#[test]
fn a_directory_that_is_no_store_is_not_opened() {
    let bench = Bench::new();
    assert!(matches!(
        Store::open(bench.dir.path()),
        Err(StoreError::NotAStore { .. })
    ));
    assert!(matches!(
        Store::open(bench.dir.path().join("absent")),
        Err(StoreError::NotAStore { .. })
    ));
    fs::create_dir(bench.dir.path().join(".store")).expect("a directory");
    bench.file(".store/images", "of something else");
    assert!(matches!(
        Store::open(bench.dir.path()),
        Err(StoreError::NotAStore { .. })
    ));
}

#[test]
fn what_cannot_be_looked_at_is_not_said_to_be_absent() {
    let bench = Bench::new();
    bench.publish(bench.image("a", "1")).expect("published");
    let root = bench.store.root();
    fs::remove_dir_all(root).expect("removed");
    bench.file("images", "in the place of the store");
    let (link, generations) = (root.join("a"), root.join(".store/images/a"));
    let error = bench.store.current(&name("a")).expect_err("no directory");
    let expected = format!("cannot read the link {}", link.display());
    assert_eq!(error.to_string(), expected);
    let error = bench.store.generations(&name("a")).expect_err("the same");
    let expected = format!("cannot list {}", generations.display());
    assert_eq!(error.to_string(), expected);
}
