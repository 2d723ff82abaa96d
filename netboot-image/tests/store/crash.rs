//! Publications that end half way: cancelled, or killed with the process.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use netboot_image::{NewImage, Progress, Step, Store, StoreError};

use crate::common::{Bench, kernel, name, now, tree};

const STEPS: [Step; 5] = [
    Step::Staged,
    Step::Copied,
    Step::Locked,
    Step::Described,
    Step::Placed,
];

#[test]
fn a_cancelled_publication_leaves_the_store_as_it_was() {
    let bench = Bench::new();
    bench.publish(bench.image("a", "1")).expect("published");
    let before = tree(bench.store.root());
    for (step, image) in STEPS
        .into_iter()
        .flat_map(|step| [(step, "a"), (step, "new")])
    {
        let cancelled = bench
            .store
            .publish(now(), bench.image(image, "2"), &mut |progress| {
                if progress == Progress::Step(step) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
        assert!(matches!(cancelled, Err(StoreError::Cancelled)), "{step:?}");
        assert_eq!(tree(bench.store.root()), before, "{step:?}");
    }
    let copying = bench.store.publish(
        now(),
        bench.image("a", "2"),
        &mut |progress| match progress {
            Progress::Copied { file: "initrd", .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        },
    );
    assert!(matches!(copying, Err(StoreError::Cancelled)));
    assert_eq!(tree(bench.store.root()), before);
}

#[test]
fn breaking_after_the_switch_is_too_late() {
    let bench = Bench::new();
    let published = bench
        .store
        .publish(now(), bench.image("a", "1"), &mut |progress| {
            if progress == Progress::Step(Step::Switched) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
    assert_eq!(
        published.expect("published").manifest.generation().number(),
        1
    );
}

#[test]
fn a_process_killed_at_any_step_leaves_the_old_image_or_the_new() {
    for step in STEPS.into_iter().chain([Step::Switched]) {
        let bench = Bench::new();
        bench.publish(bench.image("a", "1")).expect("published");
        let before = tree(bench.store.root());
        bench.file("next.kernel", kernel("2"));
        let killed = Command::new(std::env::current_exe().expect("this program"))
            .args([
                "--ignored",
                "--exact",
                "crash::publish_and_die",
                "--nocapture",
            ])
            .env("NETBOOT_IMAGE_DIE_AT", format!("{step:?}"))
            .env("NETBOOT_IMAGE_DIE_IN", bench.dir.path())
            .output()
            .expect("it ran");
        assert!(!killed.status.success(), "{step:?} was not reached");

        // A reader that comes before any cleaning sees one or the other.
        let expected = if step == Step::Switched { 2 } else { 1 };
        let read = Store::open(bench.store.root()).expect("a store");
        let listing = read.list().expect("a listing");
        assert!(
            listing.problems.is_empty(),
            "{step:?}: {:?}",
            listing.problems
        );
        assert_eq!(
            listing.images[0].generation().number(),
            expected,
            "{step:?}"
        );
        assert!(
            read.verify(&name("a"), None, &|_| ControlFlow::Continue(()))
                .expect("a report")
                .is_whole()
        );

        assert_eq!(bench.staged(), 1, "{step:?}");
        Store::create(bench.store.root()).expect("opened and cleaned");
        assert_eq!(bench.staged(), 0, "{step:?}");
        if step < Step::Placed {
            assert_eq!(tree(bench.store.root()), before, "{step:?}");
        }
        let next = bench
            .publish(bench.image("a", "3"))
            .expect("published after the crash");
        assert_eq!(
            next.replaced.map(|generation| generation.number()),
            Some(expected),
            "{step:?}"
        );
        assert!(next.manifest.generation().number() > expected);
    }
}

#[test]
#[ignore = "needs root, to mount a tmpfs of 256 KiB"]
fn a_full_disk_is_an_error_and_leaves_the_store_as_it_was() {
    let bench = Bench::new();
    let disk = bench.dir.path().join("disk");
    std::fs::create_dir(&disk).expect("a mount point");
    let run = |program: &str, arguments: &[&str]| {
        let status = Command::new(program)
            .args(arguments)
            .arg(&disk)
            .status()
            .expect("it runs");
        assert!(status.success(), "{program}");
    };
    run(
        "mount",
        &["-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs"],
    );
    let result = std::panic::catch_unwind(|| {
        let store = Store::create(disk.join("images")).expect("a store");
        let publish = |mark: &str, len: usize| {
            let initrd = bench.file("large", vec![7; len]);
            store.publish(now(), bench.image("a", mark).initrd(initrd), &mut |_| {
                ControlFlow::Continue(())
            })
        };
        publish("1", 10_000).expect("it fits");
        let before = tree(store.root());
        let error = publish("2", 300_000).expect_err("it does not fit");
        assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
        assert_eq!(tree(store.root()), before);
        publish("3", 20_000).expect("there is room again");
    });
    run("umount", &[]);
    assert!(result.is_ok());
}

/// Not a test of its own: the process that dies in the one above.
#[test]
#[ignore = "run by a_process_killed_at_any_step_leaves_the_old_image_or_the_new"]
fn publish_and_die() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a test tells the process that it starts what to do"
    )]
    let (Ok(at), Ok(dir)) = (
        std::env::var("NETBOOT_IMAGE_DIE_AT"),
        std::env::var("NETBOOT_IMAGE_DIE_IN"),
    ) else {
        return;
    };
    let dir = Path::new(&dir);
    let store = Store::open(dir.join("images")).expect("a store");
    let image = NewImage::linux(name("a"), dir.join("next.kernel"));
    let published = store.publish(now(), image, &mut |progress| {
        if matches!(progress, Progress::Step(step) if format!("{step:?}") == at) {
            std::process::abort();
        }
        ControlFlow::Continue(())
    });
    panic!("still alive: {published:?}");
}
