//! Publishing: the layout, generations, readers, and what is said meanwhile.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use netboot_image::{
    Architecture, BootMethod, Digest, FileRef, Generation, Input, NewImage, Source, StoreError,
};

use crate::common::{Bench, go_on, kernel, links, name, now};

#[test]
fn an_image_stands_as_a_directory_that_sha256sum_confirms() {
    let bench = Bench::new();
    let image = bench
        .image("debian-12", "a")
        .label("Debian 12")
        .description("two\nlines");
    let image = image
        .initrd(bench.file("second", "more"))
        .source(Source::new("a test", ["/boot/vmlinuz"]));
    let published = bench.publish(image).expect("published");
    assert_eq!(published.manifest.generation().number(), 1);
    assert_eq!(published.replaced, None);

    let dir = bench.store.root().join("debian-12");
    assert_eq!(
        fs::read(dir.join("bzImage")).expect("the kernel"),
        kernel("a")
    );
    assert_eq!(
        fs::read(dir.join("initrd")).expect("the initrd"),
        b"initrd a"
    );
    assert_eq!(
        fs::read(dir.join("initrd-2")).expect("the second initrd"),
        b"more"
    );
    let mut files: Vec<_> = fs::read_dir(&dir)
        .expect("the image's directory")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "SHA256SUMS",
            "bzImage",
            "initrd",
            "initrd-2",
            "manifest.json"
        ]
    );
    for file in files {
        let mode = fs::metadata(dir.join(&file))
            .expect("metadata")
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o444, "{file}");
    }
    let check = Command::new("sha256sum")
        .args(["--strict", "-c", "SHA256SUMS"])
        .current_dir(&dir)
        .output();
    let check = check.expect("sha256sum runs");
    assert!(check.status.success(), "{check:?}");
    assert_eq!(
        String::from_utf8_lossy(&check.stdout),
        "bzImage: OK\ninitrd: OK\ninitrd-2: OK\nmanifest.json: OK\n"
    );

    let manifest = bench
        .store
        .image(&name("debian-12"), None)
        .expect("the manifest");
    assert_eq!(manifest, published.manifest);
    assert_eq!(
        (manifest.label(), manifest.description()),
        ("Debian 12", Some("two\nlines"))
    );
    assert_eq!(
        (manifest.created(), manifest.architecture()),
        (now(), Some(Architecture::X86_64))
    );
    let BootMethod::Linux(linux) = manifest.boot() else {
        panic!("a Linux image")
    };
    assert_eq!(
        (linux.cmdline(), linux.cmdline_limit()),
        (&["console=ttyS0".to_owned()][..], 2047)
    );
    assert_eq!(linux.kernel().digest(), Digest::of(&kernel("a")));
    assert_eq!(linux.initrds()[1].size(), 4);
}

#[test]
fn a_second_publication_is_the_next_generation_and_the_first_stays_readable() {
    let bench = Bench::new();
    bench.publish(bench.image("a", "1")).expect("published");
    let second = bench.publish(bench.image("a", "2")).expect("published");
    assert_eq!(second.manifest.generation().to_string(), "@2");
    assert_eq!(
        second
            .replaced
            .map(|generation| generation.to_string())
            .as_deref(),
        Some("@1")
    );
    let read = |path: &str| {
        let mut text = String::new();
        let mut opened = bench
            .store
            .open_file(&path.parse::<FileRef>().expect("a path"))
            .expect("opened");
        opened.file.read_to_string(&mut text).expect("read");
        assert_eq!(
            opened.size,
            u64::try_from(text.len()).expect("a small file")
        );
        assert_eq!(opened.digest, Digest::of(text.as_bytes()));
        text
    };
    assert_eq!(read("a/initrd"), "initrd 2");
    assert_eq!(read("a/@2/initrd"), "initrd 2");
    assert_eq!(read("a/@1/initrd"), "initrd 1");
    assert!(read("a/@1/manifest.json").contains("\"generation\": 1"));
    assert!(read("a/SHA256SUMS").contains("  bzImage\n"));
    let numbers: Vec<_> = bench
        .store
        .generations(&name("a"))
        .expect("generations")
        .iter()
        .map(|it| it.number())
        .collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn a_removed_image_is_gone_and_its_numbers_are_not_used_again() {
    let bench = Bench::new();
    bench.publish(bench.image("a", "1")).expect("published");
    bench.publish(bench.image("a", "2")).expect("published");
    let mut open = bench
        .store
        .open_file(&"a/initrd".parse().expect("a path"))
        .expect("opened");
    bench.store.remove(&name("a")).expect("removed");
    assert!(bench.store.list().expect("a listing").images.is_empty());
    assert!(!bench.store.root().join("a").is_symlink());
    assert!(matches!(
        bench.store.remove(&name("a")),
        Err(StoreError::NoSuchImage { .. })
    ));
    assert!(matches!(
        bench.store.image(&name("a"), None),
        Err(StoreError::NoSuchImage { .. })
    ));
    let mut text = String::new();
    open.file.read_to_string(&mut text).expect("still readable");
    assert_eq!(text, "initrd 2");
    assert_eq!(
        bench
            .publish(bench.image("a", "3"))
            .expect("published")
            .manifest
            .generation()
            .number(),
        3
    );
}

#[test]
fn a_reader_is_published_as_a_file_is() {
    let bench = Bench::new();
    let image = NewImage::linux(
        name("a"),
        Input::reader("a pipe", io::Cursor::new(kernel("x"))),
    );
    bench.publish(image).expect("published");
    let broken = NewImage::linux(
        name("a"),
        Input::reader("a pipe", io::Cursor::new(kernel("x")).chain(Broken)),
    );
    let error = bench.publish(broken).expect_err("the reader fails");
    assert_eq!(error.to_string(), "cannot read a pipe");
    assert_eq!(
        bench
            .store
            .image(&name("a"), None)
            .expect("the image")
            .generation()
            .number(),
        1
    );
}

#[test]
fn an_image_that_is_current_although_something_failed_is_said_to_be() {
    let bench = Bench::new();
    bench.publish(bench.image("a", "1")).expect("published");
    // The counter of changes can be opened, and not counted up.
    let counter = bench.store.root().join(".store/revision");
    let counter = fs::File::create(&counter).expect("opened");
    let mut longest = 0;
    for bit in (0..63).rev() {
        let longer = longest | 1_u64 << bit;
        longest = counter.set_len(longer).map_or(longest, |()| longer);
    }
    let is_unsettled = |error, number| match error {
        StoreError::Unsettled {
            name, generation, ..
        } => assert_eq!((name.as_str(), generation.number()), ("a", number)),
        other => panic!("{other}"),
    };
    let error = bench
        .publish(bench.image("a", "2"))
        .expect_err("not counted");
    is_unsettled(error, 2);
    let current = || bench.store.image(&name("a"), None).expect("the image");
    assert_eq!(current().generation().number(), 2);
    assert_eq!(
        links(bench.store.root().join("a/bzImage")),
        2,
        "it is shared"
    );
    let first = Generation::new(1).expect("above 0");
    let error = bench.store.roll_back(now(), &name("a"), first);
    is_unsettled(error.expect_err("not counted"), 1);
    assert_eq!(current().generation().number(), 1);
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

#[test]
fn progress_counts_every_byte_of_every_file() {
    let bench = Bench::new();
    let mut seen = Vec::new();
    let image = bench
        .image("a", "1")
        .initrd(Input::reader("a pipe", io::Cursor::new(vec![1; 300_000])));
    let published = bench.store.publish_with(now(), image, &mut |progress| {
        if let netboot_image::Progress::Copied { file, done, total } = progress {
            seen.push((file.to_owned(), done, total));
        }
        go_on(progress)
    });
    published.expect("published");
    assert_eq!(seen[0], ("kernel".to_owned(), 1088, Some(1088)));
    assert_eq!(seen[1], ("initrd".to_owned(), 8, Some(8)));
    assert_eq!(seen.last(), Some(&("initrd-2".to_owned(), 300_000, None)));
}

#[test]
#[ignore = "needs /usr/lib/debian-installer of the Debian package debian-installer-12-netboot-amd64"]
fn the_debian_installer_is_published_and_verified() {
    let bench = Bench::new();
    let dir = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";
    let image = NewImage::linux(name("debian-12"), format!("{dir}/linux"))
        .initrd(format!("{dir}/initrd.gz"));
    let published = bench.publish(image).expect("published");
    let BootMethod::Linux(linux) = published.manifest.boot() else {
        panic!("a Linux image")
    };
    assert!(
        linux
            .kernel_version()
            .is_some_and(|version| version.starts_with("6.1.0-"))
    );
    let report = bench
        .store
        .verify(&name("debian-12"), None)
        .expect("a report");
    assert!(report.is_whole(), "{report:?}");
    let check = Command::new("sha256sum")
        .args(["-c", "SHA256SUMS"])
        .current_dir(bench.store.root().join("debian-12"))
        .output();
    assert!(check.expect("sha256sum runs").status.success());
}
