//! Several writers at once.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Barrier;
use std::time::Duration;

use netboot_image::{Progress, Step, Store, StoreError};

use crate::common::{Bench, links, name, now};

#[test]
fn writers_of_one_name_get_a_generation_each() {
    let bench = Bench::new();
    let root = bench.store.root();
    let start = Barrier::new(8);
    let numbers: Vec<u32> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let (bench, start) = (&bench, &start);
                scope.spawn(move || {
                    let store = Store::open(root).expect("a store");
                    start.wait();
                    let publish = |number| {
                        let image = bench.image("a", &format!("{writer}-{number}"));
                        store.publish(now(), image).expect("published")
                    };
                    (0..5)
                        .map(|number| publish(number).manifest.generation().number())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        writers
            .into_iter()
            .flat_map(|writer| writer.join().expect("no panic"))
            .collect()
    });
    assert_eq!(
        numbers.iter().copied().collect::<BTreeSet<_>>(),
        (1..=40).collect()
    );
    assert_eq!(
        bench
            .store
            .image(&name("a"), None)
            .expect("the image")
            .generation()
            .number(),
        40
    );
    for generation in bench.store.generations(&name("a")).expect("generations") {
        let report = bench.store.verify(&name("a"), Some(generation));
        assert!(report.expect("a report").is_whole());
    }
    assert_eq!(bench.staged(), 0);
}

#[test]
fn a_reader_never_sees_half_an_image() {
    let bench = Bench::new();
    bench.publish(bench.image("a", "0")).expect("published");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) || seen == 0 {
                let listing = bench.store.list().expect("a listing");
                assert!(listing.unusable.is_empty(), "{:?}", listing.unusable);
                let [image] = listing.images.as_slice() else {
                    panic!("one image")
                };
                let file = bench
                    .store
                    .open_file_of(image, &"bzImage".parse().expect("a name"));
                assert!(file.is_ok(), "{file:?}");
                seen += 1;
            }
        });
        for number in 1..40 {
            bench
                .publish(bench.image("a", &number.to_string()))
                .expect("published");
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        reader.join().expect("no panic");
    });
}

#[test]
fn a_slow_writer_holds_up_no_other_and_loses_nothing() {
    let bench = Bench::new();
    let slow = bench.image("slow", "1");
    let mut inner = None;
    let published = bench.store.publish_with(now(), slow, &mut |progress| {
        // The slow one has copied its files and is about to ask for the lock; another one comes and
        // goes meanwhile, and clears what is left over.
        if progress == Progress::Step(Step::Copied) {
            Store::create(bench.store.root()).expect("opened and cleaned");
            inner = Some(bench.publish(bench.image("fast", "1")));
        }
        ControlFlow::Continue(())
    });
    published.expect("published");
    inner.expect("it was called").expect("published");
    assert_eq!(bench.store.list().expect("a listing").images.len(), 2);
    assert_eq!(bench.staged(), 0);
}

#[test]
fn two_writers_of_the_same_new_content_both_publish_it() {
    let bench = Bench::new();
    let mut inner = None;
    let published = bench
        .store
        .publish_with(now(), bench.image("a", "1"), &mut |progress| {
            if progress == Progress::Step(Step::Copied) {
                inner = Some(bench.publish(bench.image("b", "1")));
            }
            ControlFlow::Continue(())
        });
    published.expect("published");
    inner.expect("it was called").expect("published");
    // The later one came with a copy of its own, which is no worse.
    assert_eq!(links(bench.store.root().join("b/bzImage")), 2);
    assert_eq!(links(bench.store.root().join("a/bzImage")), 1);
}

#[test]
fn writers_that_publish_and_remove_do_not_disturb_each_other() {
    let bench = Bench::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let bench = &bench;
            scope.spawn(move || {
                let own = format!("image-{writer}");
                for number in 0..25 {
                    bench
                        .publish(bench.image(&own, &number.to_string()))
                        .expect("published");
                    bench.store.remove(&name(&own)).expect("removed");
                }
            });
        }
    });
    assert!(bench.store.list().expect("a listing").images.is_empty());
    assert_eq!(bench.staged(), 0);
    assert_eq!(
        std::fs::read_dir(bench.store.root().join(".store/blobs"))
            .expect("blobs")
            .count(),
        0
    );
}

/// Without a signer nothing is signed, and all else is as with one.
#[test]
fn an_image_that_is_published_while_it_is_signed_stays_current() {
    let bench = Bench::new();
    bench.publish(bench.image("a", "1")).expect("published");
    let current = || {
        let current = bench.store.current(&name("a")).expect("its link");
        current.map(|generation| generation.number())
    };
    let later = now() + Duration::from_secs(60);
    let signed = bench.store.sign(later, &name("a"), []).expect("signed");
    assert_eq!(signed.manifest.created(), later);
    assert_eq!(current(), Some(2));
    let mut meanwhile = |progress: Progress<'_>| {
        if matches!(progress, Progress::Step(Step::Copied)) {
            bench.publish(bench.image("a", "2")).expect("published");
        }
        ControlFlow::Continue(())
    };
    let signed = bench.store.sign_with(now(), &name("a"), [], &mut meanwhile);
    assert!(
        matches!(signed, Err(StoreError::Overtaken { .. })),
        "{signed:?}"
    );
    assert_eq!(current(), Some(3));
}
