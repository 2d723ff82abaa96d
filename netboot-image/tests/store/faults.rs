//! Each file-system call of a publication fails in turn, by `strace -e inject`.

use std::process::Command;

use netboot_image::{Generation, Report, Store};

use crate::common::{Bench, name};
use crate::crash::{PUBLISHED, UNSETTLED, this_program};

/// The calls by what they are called on Linux, and whether a publication needs them; a `?` passes
/// over those that this architecture lacks. Sharing contents and clearing up may fail without harm,
/// and counting the change comes after it.
const CALLS: [(&str, bool); 17] = [
    ("openat", true),
    ("?mkdir,?mkdirat", true),
    ("?rename,?renameat,?renameat2", true),
    ("?link,?linkat", false),
    ("?symlink,?symlinkat", true),
    ("fsync", true),
    ("write", true),
    ("pread64", true),
    ("copy_file_range", false),
    ("ioctl", false),
    ("?chmod,?fchmod,?fchmodat", true),
    ("flock", true),
    ("ftruncate", false),
    ("?unlink,?unlinkat,?rmdir", false),
    ("?stat,?lstat,?newfstatat,?statx", true),
    ("utimensat", true),
    ("getdents64", true),
];

#[test]
#[ignore = "needs the Debian package strace, and takes minutes"]
fn whichever_call_fails_the_old_image_stands_or_the_new() {
    for (calls, needed) in CALLS {
        for error in ["EIO", "ENOSPC"] {
            let mut failures = 0;
            for when in 1_u32..=40 {
                let bench = Bench::new();
                bench.publish(bench.image("a", "1")).expect("published");
                bench.file("next.kernel", crate::common::kernel("2"));
                let what = format!("{calls} {error} {when}");
                let succeeded =
                    publish_under_strace(&bench, calls, &format!("error={error}:when={when}"));
                failures += u32::from(succeeded.is_none());

                let store = Store::open(bench.store.root()).expect("a store");
                let listing = store.list().expect("a listing");
                assert!(
                    listing.unusable.is_empty(),
                    "{what}: {:?}",
                    listing.unusable
                );
                let current = listing.images[0].generation().number();
                assert_eq!(current, succeeded.unwrap_or(1), "{what}");
                let whole = |generation: Option<Generation>| store.verify(&name("a"), generation);
                for generation in store.generations(&name("a")).expect("generations") {
                    let report = whole(Some(generation));
                    assert!(
                        report.as_ref().is_ok_and(Report::is_whole),
                        "{what}: {report:?}"
                    );
                }
                Store::create(bench.store.root()).expect("opened and cleaned");
                assert_eq!(bench.staged(), 0, "{what}");
                let next = bench
                    .publish(bench.image("a", "3"))
                    .expect("published after the fault");
                assert!(next.manifest.generation().number() > current, "{what}");
                let report = whole(None);
                assert!(
                    report.as_ref().is_ok_and(Report::is_whole),
                    "{what}: {report:?}"
                );
            }
            assert_eq!(failures > 0, needed, "{calls} {error}");
            assert!(
                failures < 40,
                "{calls}: publishing makes more than 40 of these calls"
            );
        }
    }
}

/// Publishes `a` anew in a process one of whose calls fails, and tells the generation that the
/// process says is current by its doing, as a result or as an error.
fn publish_under_strace(bench: &Bench, calls: &str, fault: &str) -> Option<u32> {
    // Only what is traced can be made to fail.
    let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:{fault}"));
    let child = this_program("crash::publish_and_die", bench);
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject])
        .arg(child.get_program());
    for (key, value) in child.get_envs() {
        if let Some(value) = value {
            strace.env(key, value);
        }
    }
    strace
        .args(child.get_args())
        .env("NETBOOT_IMAGE_DIE_AT", "never")
        .env("RUST_BACKTRACE", "0");
    match strace.output().expect("strace runs").status.code() {
        Some(PUBLISHED | UNSETTLED) => Some(2),
        _ => None,
    }
}
