//! Rolling back and pruning: what stays, what goes, and that nothing which was handed out goes too
//! soon.

use std::time::Duration;

use netboot_image::{Generation, Keep, Store, StoreError};

use crate::common::{Bench, name, now};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn generation(number: u32) -> Generation {
    Generation::new(number).expect("above 0")
}

/// Publishes `a` once an hour from [`now`] on.
fn hourly(bench: &Bench, count: u32) {
    for number in 1..=count {
        let image = bench.image("a", &number.to_string());
        let at = now() + HOUR * (number - 1);
        bench.store.publish(at, image).expect("published");
    }
}

fn numbers(store: &Store) -> Vec<u32> {
    store
        .generations(&name("a"))
        .expect("generations")
        .iter()
        .map(|it| it.number())
        .collect()
}

#[test]
fn rolling_back_makes_an_earlier_generation_current_and_the_next_one_is_new() {
    let bench = Bench::new();
    hourly(&bench, 3);
    let before = bench.store.revision().expect("a revision");
    let manifest = bench
        .store
        .roll_back(now(), &name("a"), generation(1))
        .expect("rolled back");
    assert_eq!(manifest.generation(), generation(1));
    assert_ne!(bench.store.revision().expect("a revision"), before);
    assert_eq!(
        bench.store.image(&name("a"), None).expect("the image"),
        manifest
    );
    let initrd = std::fs::read_to_string(bench.store.root().join("a/initrd")).expect("the initrd");
    assert_eq!(initrd, "initrd 1");
    hourly(&bench, 1);
    assert_eq!(numbers(&bench.store), [1, 2, 3, 4]);
    assert_eq!(bench.staged(), 0);
}

#[test]
fn an_image_whose_link_was_removed_by_hand_is_rolled_back_to_and_removed() {
    let bench = Bench::new();
    hourly(&bench, 2);
    let unlink = || std::fs::remove_file(bench.store.root().join("a")).expect("removed");
    let current = || bench.store.current(&name("a")).expect("its link");
    unlink();
    let rolled_back = bench.store.roll_back(now(), &name("a"), generation(1));
    assert!(rolled_back.is_ok(), "{rolled_back:?}");
    assert_eq!(current(), Some(generation(1)));
    unlink();
    bench.store.remove(&name("a")).expect("removed");
    assert!(matches!(
        bench.store.generations(&name("a")),
        Err(StoreError::NoSuchImage { .. })
    ));
}

#[test]
fn a_link_without_generations_is_removed() {
    let bench = Bench::new();
    hourly(&bench, 1);
    std::fs::remove_dir_all(bench.store.root().join(".store/images/a/1")).expect("removed");
    bench.store.remove(&name("a")).expect("removed");
    assert_eq!(bench.store.current(&name("a")).expect("no link"), None);
}

#[test]
fn rolling_back_to_what_is_not_there_changes_nothing() {
    let bench = Bench::new();
    hourly(&bench, 2);
    let roll_back = |image, number| {
        bench
            .store
            .roll_back(now(), &name(image), generation(number))
    };
    assert!(matches!(
        roll_back("a", 9),
        Err(StoreError::NoSuchGeneration { .. })
    ));
    assert!(matches!(
        roll_back("b", 1),
        Err(StoreError::NoSuchImage { .. })
    ));
    std::fs::remove_file(bench.store.root().join(".store/images/a/1/manifest.json"))
        .expect("removed");
    assert!(matches!(roll_back("a", 1), Err(StoreError::Io { .. })));
    assert_eq!(
        bench
            .store
            .image(&name("a"), None)
            .expect("the image")
            .generation(),
        generation(2)
    );
}

#[test]
fn pruning_keeps_the_newest_and_what_was_current_within_a_day() {
    let bench = Bench::new();
    hourly(&bench, 6);
    let prune = |hours: u32, newest| {
        let keep = Keep::newest(newest);
        let at = now() + HOUR * hours;
        let foretold = bench.store.prunable(at, &name("a"), keep);
        let gone = bench.store.prune(at, &name("a"), keep).expect("pruned");
        assert_eq!(foretold.expect("foretold"), gone);
        (
            gone.iter().map(|it| it.number()).collect::<Vec<_>>(),
            numbers(&bench.store),
        )
    };
    // Generation n was current until n hours after the first publication.
    assert_eq!(prune(24, 3), (vec![], vec![1, 2, 3, 4, 5, 6]));
    assert_eq!(prune(25, 3), (vec![1], vec![2, 3, 4, 5, 6]));
    assert_eq!(prune(1000, 3), (vec![2, 3], vec![4, 5, 6]));
    assert_eq!(prune(1000, 0), (vec![4, 5], vec![6]));
    let before = bench.store.revision().expect("a revision");
    assert_eq!(prune(1000, 0), (vec![], vec![6]));
    assert_eq!(bench.store.revision().expect("a revision"), before);
    let report = bench.store.verify(&name("a"), None).expect("a report");
    assert!(report.is_whole());
    // A kernel and an initrd: the contents of what was pruned are gone too.
    assert_eq!(
        std::fs::read_dir(bench.store.root().join(".store/blobs"))
            .expect("blobs")
            .count(),
        2
    );
}

#[test]
fn pruning_spares_what_was_handed_out_within_a_day_and_what_is_current() {
    let bench = Bench::new();
    hourly(&bench, 4);
    bench
        .store
        .roll_back(now() + HOUR * 4, &name("a"), generation(1))
        .expect("rolled back");
    bench
        .store
        .mark_handed_out(now() + HOUR * 100, &name("a"), generation(2))
        .expect("marked");
    bench
        .store
        .mark_handed_out(now(), &name("a"), generation(2))
        .expect("an earlier time is no news");
    let prune = |hours: u32| {
        let keep = Keep::newest(0);
        bench
            .store
            .prune(now() + HOUR * hours, &name("a"), keep)
            .expect("pruned");
        numbers(&bench.store)
    };
    assert_eq!(
        prune(0),
        [1, 2, 3, 4],
        "a clock that was put back removes nothing"
    );
    assert_eq!(prune(123), [1, 2]);
    assert_eq!(prune(124), [1]);
    let absent = bench
        .store
        .mark_handed_out(now(), &name("a"), generation(2));
    assert!(matches!(absent, Err(StoreError::NoSuchGeneration { .. })));
    // 4 was the highest and is gone: its number is not used again.
    hourly(&bench, 1);
    assert_eq!(numbers(&bench.store), [1, 5]);
}
