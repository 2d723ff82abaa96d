//! What is not published, and that nothing of it is left.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use netboot_image::{
    Import, ImportError, KernelError, Looks, Manifest, ManifestError, NewImage, Source, StoreError,
};

use crate::common::{Bench, kernel, name, tree};

#[test]
fn what_is_no_kernel_is_refused_with_what_it_is_and_leaves_nothing() {
    let bench = Bench::new();
    let before = tree(bench.store.root());
    let cases: [(&[u8], Looks); 4] = [
        (b"", Looks::Empty),
        (b"\x1f\x8b\x08\0", Looks::Gzip),
        (b"\x7fELF\x02\x01\x01", Looks::Elf),
        (b"<html>404</html>", Looks::Html),
    ];
    for (content, expected) in cases {
        let image = NewImage::linux(name("a"), bench.file("kernel", content));
        match bench.publish(image) {
            Err(StoreError::Kernel {
                reason: KernelError::NotAKernel { looks },
                ..
            }) => assert_eq!(looks, expected),
            other => panic!("{other:?}"),
        }
    }
    let half = NewImage::linux(name("a"), bench.file("k", &kernel("k")[..1050]));
    assert!(matches!(
        bench.publish(half),
        Err(StoreError::Kernel {
            reason: KernelError::Truncated {
                len: 1050,
                expected: 1088
            },
            ..
        })
    ));
    let absent = NewImage::linux(name("a"), bench.dir.path().join("absent"));
    assert!(matches!(
        bench.publish(absent),
        Err(StoreError::Io { action: "read", .. })
    ));
    let directory = NewImage::linux(name("a"), bench.dir.path());
    assert!(matches!(
        bench.publish(directory),
        Err(StoreError::Io { action: "read", .. })
    ));
    assert_eq!(tree(bench.store.root()), before);
}

/// The pointer is Git LFS's, from the specification of its version 1.
#[test]
fn what_is_no_initial_ram_disk_is_refused_with_what_it_is_and_leaves_nothing() {
    let bench = Bench::new();
    let before = tree(bench.store.root());
    let pointer = b"version https://git-lfs.github.com/spec/v1\n\
        oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n\
        size 12345\n";
    let swapped = kernel("i");
    let cases: [(&[u8], Looks); 5] = [
        (b"", Looks::Empty),
        (&swapped, Looks::Kernel),
        (b"\n<!DOCTYPE html>\n<title>404</title>", Looks::Html),
        (b"<?xml version=\"1.0\"?><Error/>", Looks::Xml),
        (pointer, Looks::LfsPointer),
    ];
    for (content, expected) in cases {
        let linux = || NewImage::linux(name("a"), bench.file("k", kernel("k")));
        let whole = bench.file("whole", b"070701");
        for image in [
            linux().initrd(bench.file("i", content)),
            linux().initrd(whole).initrd(bench.file("i", content)),
        ] {
            match bench.publish(image) {
                Err(StoreError::Initrd { looks, .. }) => assert_eq!(looks, expected),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(tree(bench.store.root()), before);
}

/// A copy of `/dev/zero` would end when the disk is full, and one of the pipe never: nobody writes.
#[test]
fn what_is_no_regular_file_is_refused_wherever_a_file_is_named() {
    let bench = Bench::new();
    let before = tree(bench.store.root());
    let pipe = bench.dir.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo of coreutils runs").success());
    let linked = bench.dir.path().join("link");
    symlink("/dev/zero", &linked).expect("a link");
    for path in [Path::new("/dev/zero"), &linked, &pipe, bench.dir.path()] {
        let linux = || NewImage::linux(name("a"), bench.file("kernel", kernel("k")));
        let refused = |published: Result<_, StoreError>| {
            let Err(StoreError::Io {
                path: at, source, ..
            }) = published
            else {
                panic!("{}: {published:?}", path.display());
            };
            assert_eq!(at, path);
            assert_eq!(source.to_string(), "it is no regular file");
        };
        for image in [
            NewImage::linux(name("a"), path),
            linux().initrd(path),
            linux().file("seed".parse().expect("a name"), path),
            NewImage::efi(name("a"), path),
            NewImage::iso(name("a"), path),
        ] {
            refused(bench.publish(image).map(drop));
        }
    }
    for path in [Path::new("/dev/zero"), &linked, &pipe] {
        let found = Import::find([path]).map(drop);
        let Err(ImportError::Io { source, .. }) = found else {
            panic!("{}: {found:?}", path.display());
        };
        assert_eq!(source.to_string(), "it is no regular file");
    }
    assert_eq!(tree(bench.store.root()), before);
}

#[test]
fn a_command_line_that_the_kernel_would_cut_is_refused() {
    let bench = Bench::new();
    let publish = |arguments: Vec<String>| {
        bench.publish(NewImage::linux(name("a"), bench.file("k", kernel("k"))).cmdline(arguments))
    };
    publish(vec!["x".repeat(1000), "y".repeat(1046)]).expect("2047 bytes fit");
    let error = publish(vec!["x".repeat(1000), "y".repeat(1047)]).expect_err("2048 do not");
    assert!(matches!(
        &error,
        StoreError::Manifest {
            reason: ManifestError::Value {
                field: "cmdline",
                ..
            },
            ..
        }
    ));
    assert!(
        error
            .to_string()
            .ends_with("has 2048 bytes, and the kernel cuts it at 2047"),
        "{error}"
    );
    for wrong in [
        "init=/nix/store/.../init",
        "...",
        "a b",
        "",
        "x=\"1",
        "a\nb",
        "a\0b",
    ] {
        let error = publish(vec![wrong.to_owned()]).expect_err(wrong);
        assert!(
            matches!(&error, StoreError::Manifest { .. }),
            "{wrong:?}: {error}"
        );
    }
    publish(vec!["dyndbg=\"file a.c +p\"".to_owned()]).expect("quotes hold a space together");
}

#[test]
fn a_manifest_may_be_as_long_as_the_longest_that_is_read() {
    const TEXTS: usize = 262;
    let bench = Bench::new();
    // So many bytes more than 3000 in each of them. The generations have numbers of one digit.
    let publish = |more: usize| {
        let text = |at| "x".repeat(3000 + more / TEXTS + usize::from(at < more % TEXTS));
        let source = Source::new("a test", (0..TEXTS).map(text));
        bench.publish(bench.image("a", "1").source(source))?;
        Ok(fs::read(bench.store.root().join("a/manifest.json")).expect("a manifest"))
    };
    let short = publish(0).map(|text: Vec<u8>| text.len());
    let more = Manifest::MAX_LEN - short.expect("published");
    let longest = publish(more).map(|text| text.len());
    assert_eq!(longest.expect("published"), Manifest::MAX_LEN);
    assert!(bench.store.image(&name("a"), None).is_ok());
    let error: StoreError = publish(more + 1).expect_err("one byte longer");
    let len = Manifest::MAX_LEN + 1;
    assert!(matches!(
        error,
        StoreError::Manifest { reason: ManifestError::TooLong { len: it }, .. } if it == len
    ));
}

#[test]
fn a_manifest_that_nobody_could_read_is_not_published() {
    let bench = Bench::new();
    let before = tree(bench.store.root());
    let from = std::iter::repeat_n("x".repeat(4000), 300);
    let error = bench
        .publish(bench.image("a", "1").source(Source::new("a test", from)))
        .expect_err("too long");
    assert!(
        matches!(
            error,
            StoreError::Manifest {
                reason: ManifestError::TooLong { .. },
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(tree(bench.store.root()), before);
}
