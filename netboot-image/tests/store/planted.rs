//! What somebody else put into the store's directories: nothing is written or removed through it.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use netboot_image::{Keep, Store, StoreError};

use crate::common::{Bench, name, now};

/// A store with an image of two generations, and a directory beside it with a file that is none of
/// its business.
fn bench() -> Bench {
    let bench = Bench::new();
    for mark in ["1", "2"] {
        bench.publish(bench.image("a", mark)).expect("published");
    }
    fs::create_dir(bench.dir.path().join("victim")).expect("a directory");
    bench.file("victim/1", "untouched");
    bench
}

/// Everything that writes, each on its own.
fn writes(bench: &Bench) -> [(&'static str, Result<(), StoreError>); 4] {
    let mut keep = Keep::newest(0);
    keep.handed_out = std::time::Duration::ZERO;
    let store = &bench.store;
    [
        ("create", Store::create(store.root()).map(drop)),
        ("publish", bench.publish(bench.image("a", "3")).map(drop)),
        ("prune", store.prune(now(), &name("a"), keep).map(drop)),
        ("remove", store.remove(&name("a"))),
    ]
}

fn is_untouched(bench: &Bench) -> bool {
    let victim = bench.dir.path().join("victim");
    fs::read(victim.join("1")).is_ok_and(|text| text == b"untouched")
        && fs::read_dir(victim).expect("the directory").count() == 1
}

#[test]
fn a_link_in_the_place_of_a_file_of_the_store_is_not_written_through() {
    for place in ["lock", "revision"] {
        let bench = bench();
        let path = bench.store.root().join(".store").join(place);
        fs::remove_file(&path).expect("removed");
        symlink(bench.dir.path().join("victim/1"), &path).expect("a link");
        for (what, written) in writes(&bench) {
            let refused = matches!(&written, Err(StoreError::NotOurs { path: at }) if *at == path);
            assert!(refused, "{place}: {what}: {written:?}");
        }
        assert!(is_untouched(&bench), "{place}");
        assert!(bench.store.image(&name("a"), None).is_ok(), "{place}");
    }
}

#[test]
fn a_link_in_the_place_of_a_directory_of_the_store_is_not_followed_by_a_writer() {
    for place in ["images", "blobs", "staging", "images/a"] {
        let bench = bench();
        let path = bench.store.root().join(".store").join(place);
        fs::rename(&path, bench.dir.path().join("before")).expect("moved");
        symlink(bench.dir.path().join("victim"), &path).expect("a link");
        for (what, written) in writes(&bench) {
            let refused = matches!(&written, Err(StoreError::NotOurs { path: at }) if *at == path);
            // Opening a store looks at no image.
            let may = place == "images/a" && what == "create" && written.is_ok();
            assert!(refused || may, "{place}: {what}: {written:?}");
        }
        assert!(is_untouched(&bench), "{place}");
    }
}

#[test]
fn what_stands_where_a_new_store_would_be_is_left_as_it_is() {
    let bench = bench();
    let place = bench.dir.path().join(".store");
    symlink(bench.dir.path().join("victim"), &place).expect("a link");
    let created = Store::create(bench.dir.path()).map(drop);
    assert!(
        matches!(&created, Err(StoreError::NotOurs { path }) if *path == place),
        "{created:?}"
    );
    assert!(is_untouched(&bench));
}

#[test]
fn a_directory_in_the_place_of_the_lock_is_an_error_of_opening_it() {
    let bench = bench();
    let path = bench.store.root().join(".store/lock");
    fs::remove_file(&path).expect("removed");
    fs::create_dir(&path).expect("a directory");
    for (what, written) in writes(&bench) {
        let error = written.expect_err(what).to_string();
        assert_eq!(error, format!("cannot open {}", path.display()), "{what}");
    }
}

#[test]
fn a_link_that_stands_for_a_used_number_is_not_written_through() {
    let bench = bench();
    let mark = bench.store.root().join(".store/images/a/2.gone");
    symlink(bench.dir.path().join("victim/1"), &mark).expect("a link");
    let removed = bench.store.remove(&name("a"));
    assert!(matches!(removed, Err(StoreError::NotOurs { path }) if path == mark));
    assert!(is_untouched(&bench));
    assert!(bench.store.image(&name("a"), None).is_ok());
}

#[test]
fn what_is_no_leftover_of_a_writer_is_removed_from_staging_all_the_same() {
    let bench = bench();
    let staging = bench.store.root().join(".store/staging");
    symlink(bench.dir.path().join("victim"), staging.join("0")).expect("a link");
    fs::write(staging.join("1"), "a file").expect("a file");
    let pipe = Command::new("mkfifo").arg(staging.join("2")).status();
    assert!(pipe.expect("mkfifo of coreutils runs").success());
    bench.publish(bench.image("a", "3")).expect("published");
    assert_eq!(fs::read_dir(staging).expect("the directory").count(), 0);
    assert!(is_untouched(&bench));
}

#[test]
fn a_link_in_the_place_of_a_generation_goes_without_what_it_leads_to() {
    let bench = bench();
    let place = bench.store.root().join(".store/images/a/1");
    fs::remove_dir_all(&place).expect("removed");
    symlink(bench.dir.path().join("victim"), &place).expect("a link");
    bench.store.remove(&name("a")).expect("removed");
    assert!(is_untouched(&bench));
    assert!(fs::symlink_metadata(place).is_err());
}
