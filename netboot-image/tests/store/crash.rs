//! Publications that end half way: cancelled, or killed with the process.

use std::io::{BufRead, BufReader, Cursor, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use netboot_image::{Input, Keep, NewImage, Progress, Report, Step, Store, StoreError};

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
            .publish_with(now(), bench.image(image, "2"), &mut |progress| {
                if progress == Progress::Step(step) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
        assert!(matches!(cancelled, Err(StoreError::Cancelled)), "{step:?}");
        assert_eq!(tree(bench.store.root()), before, "{step:?}");
    }
    let copying =
        bench.store.publish_with(
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
        .publish_with(now(), bench.image("a", "1"), &mut |progress| {
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
        let killed = this_program("crash::publish_and_die", &bench)
            .env("NETBOOT_IMAGE_DIE_AT", format!("{step:?}"))
            .output()
            .expect("it ran");
        assert!(!killed.status.success(), "{step:?} was not reached");

        // A reader that comes before any cleaning sees one or the other.
        let expected = if step == Step::Switched { 2 } else { 1 };
        let read = Store::open(bench.store.root()).expect("a store");
        let listing = read.list().expect("a listing");
        assert!(
            listing.unusable.is_empty(),
            "{step:?}: {:?}",
            listing.unusable
        );
        assert_eq!(
            listing.images[0].generation().number(),
            expected,
            "{step:?}"
        );
        assert!(read.verify(&name("a"), None).expect("a report").is_whole());

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
            store.publish(now(), bench.image("a", mark).initrd(initrd))
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

#[test]
#[ignore = "takes a minute: kills a publishing process 300 times, for the soak"]
fn killing_a_publishing_process_again_and_again_never_breaks_an_image() {
    let bench = Bench::new();
    bench.publish(bench.image("a", "1")).expect("published");
    let mut last = 1;
    for round in 0..300 {
        let mut child = this_program("crash::publish_forever", &bench)
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        // The child writes a line for each piece of progress: it is killed somewhere after one of
        // the first 80.
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let seen = lines.take(1 + round * 7 % 80).filter(Result::is_ok).count();
        child.kill().expect("killed");
        child.wait().expect("waited for");
        assert!(seen > 0);

        let store = Store::open(bench.store.root()).expect("a store");
        let listing = store.list().expect("a listing");
        assert!(listing.unusable.is_empty(), "{:?}", listing.unusable);
        let generation = listing.images[0].generation().number();
        assert!(generation >= last, "{generation} after {last}");
        last = generation;
        for generation in store.generations(&name("a")).expect("generations") {
            let report = store.verify(&name("a"), Some(generation));
            assert!(report.as_ref().is_ok_and(Report::is_whole), "{report:?}");
        }
        // Every other time the next child finds what this one left.
        if round % 2 == 0 {
            Store::create(bench.store.root()).expect("opened and cleaned");
            assert_eq!(bench.staged(), 0);
        }
        let keep = Keep::newest(2);
        store
            .prune(now() + Duration::from_secs(1_000_000), &name("a"), keep)
            .expect("pruned");
    }
    assert!(last > 300, "only {last} publications in all");
}

/// Not a test of its own: the process that is killed in the one above.
#[test]
#[ignore = "run by killing_a_publishing_process_again_and_again_never_breaks_an_image"]
fn publish_forever() {
    let Some((_, dir)) = orders() else { return };
    let store = Store::open(dir.join("images")).expect("a store");
    for number in 0_u64.. {
        let initrd = Input::reader("bytes", Cursor::new(number.to_le_bytes().repeat(50_000)));
        let image = NewImage::linux(
            name("a"),
            Input::reader("a kernel", Cursor::new(kernel("x"))),
        )
        .initrd(initrd);
        let published = store.publish_with(now(), image, &mut |progress| {
            // The parent is gone when this fails.
            match writeln!(std::io::stdout(), "{progress:?}") {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
        if matches!(published, Err(StoreError::Cancelled)) {
            return;
        }
        published.expect("published");
    }
}

/// Runs one ignored test of this program as a process of its own.
/// What the process that publishes says by its exit code.
pub(crate) const PUBLISHED: i32 = 0;
pub(crate) const UNSETTLED: i32 = 3;
const FAILED: i32 = 4;

pub(crate) fn this_program(test: &str, bench: &Bench) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--ignored", "--exact", test, "--nocapture"])
        .env("NETBOOT_IMAGE_DIE_IN", bench.dir.path());
    command
}

/// Where the parent told this process to die, and in which directory.
pub(crate) fn orders() -> Option<(String, PathBuf)> {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a test tells the process that it starts what to do"
    )]
    let (at, dir) = (
        std::env::var("NETBOOT_IMAGE_DIE_AT"),
        std::env::var("NETBOOT_IMAGE_DIE_IN"),
    );
    Some((at.unwrap_or_default(), dir.ok()?.into()))
}

/// Not a test of its own: the process that dies where it is told.
#[test]
#[ignore = "run by a_process_killed_at_any_step_leaves_the_old_image_or_the_new"]
fn publish_and_die() {
    let Some((at, dir)) = orders() else { return };
    let store = Store::open(dir.join("images")).expect("a store");
    let image = NewImage::linux(name("a"), dir.join("next.kernel"));
    let published = store.publish_with(now(), image, &mut |progress| {
        if matches!(progress, Progress::Step(step) if format!("{step:?}") == at) {
            std::process::abort();
        }
        ControlFlow::Continue(())
    });
    assert_eq!(at, "never", "{published:?}");
    // Told of no such step, it says by its exit code what is current, and nothing that may fail
    // comes after.
    std::process::exit(match published {
        Ok(_) => PUBLISHED,
        Err(StoreError::Unsettled { .. }) => UNSETTLED,
        Err(_) => FAILED,
    });
}
