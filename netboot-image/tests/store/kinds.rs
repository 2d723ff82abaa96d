//! Images that are no Linux kernel, and files beside those that are booted.

use std::fs;
use std::process::Command;

use netboot_image::{Architecture, BootMethod, Digest, Looks, ManifestError, NewImage, StoreError};

use crate::common::{Bench, kernel, name, tree};

/// The beginning of a PE program, by hand from the PE format: "MZ", the offset of "PE\0\0" at 0x3c,
/// the machine.
fn program(machine: u16) -> Vec<u8> {
    let mut program = b"MZ".to_vec();
    program.resize(0x80, 0);
    program[0x3c] = 0x40;
    program[0x40..0x44].copy_from_slice(b"PE\0\0");
    program[0x44..0x46].copy_from_slice(&machine.to_le_bytes());
    program
}

/// Seventeen sectors of a disc, by hand from ECMA-119: the volume descriptor is in sector 16.
fn disc() -> Vec<u8> {
    let mut disc = vec![0; 17 * 2048];
    disc[0x8000..0x8006].copy_from_slice(b"\x01CD001");
    disc
}

fn file_name(text: &str) -> netboot_image::FileName {
    text.parse().expect("a valid name")
}

#[test]
fn each_kind_is_published_verified_and_confirmed_by_sha256sum() {
    let bench = Bench::new();
    let efi = NewImage::efi(name("memtest"), bench.file("x.efi", program(0x8664)));
    let efi = efi.cmdline(["console=ttyS0"]);
    let manifest = bench.publish(efi).expect("published").manifest;
    assert_eq!(manifest.architecture(), Some(Architecture::X86_64));
    let BootMethod::Efi(efi) = manifest.boot() else {
        panic!("a program")
    };
    assert_eq!(efi.program().name(), "program.efi");
    assert_eq!(efi.program().digest(), Digest::of(&program(0x8664)));
    assert_eq!(
        (efi.unified(), efi.cmdline()),
        (None, &["console=ttyS0".to_owned()][..])
    );

    let mut hybrid = disc();
    hybrid[..2].copy_from_slice(b"MZ");
    let iso = NewImage::iso(name("live"), bench.file("live.iso", &hybrid));
    let manifest = bench.publish(iso).expect("published").manifest;
    assert!(matches!(manifest.boot(), BootMethod::Iso(iso) if iso.disc().name() == "disc.iso"));

    let chain = NewImage::chain(name("elsewhere"), "http://boot.example/menu.ipxe");
    bench.publish(chain).expect("published");

    for (image, lines) in [
        ("memtest", "program.efi: OK\nmanifest.json: OK\n"),
        ("live", "disc.iso: OK\nmanifest.json: OK\n"),
        ("elsewhere", "manifest.json: OK\n"),
    ] {
        let check = Command::new("sha256sum")
            .args(["--strict", "-c", "SHA256SUMS"])
            .current_dir(bench.store.root().join(image))
            .output();
        let check = check.expect("sha256sum runs");
        assert_eq!(String::from_utf8_lossy(&check.stdout), lines, "{check:?}");
        assert!(check.status.success());
        let report = bench.store.verify(&name(image), None);
        assert!(report.expect("a report").is_whole());
        let reread = bench.store.image(&name(image), None).expect("the manifest");
        assert_eq!(reread.name(), image);
    }
}

#[test]
fn files_beside_keep_their_names_and_are_listed_with_digests() {
    let bench = Bench::new();
    let image = bench
        .image("cloud", "1")
        .file(file_name("user-data"), bench.file("u", "#cloud-config\n"))
        .file(file_name("meta-data"), bench.file("m", ""))
        .file(file_name("root.squashfs"), bench.file("s", "hsqs"));
    let manifest = bench.publish(image).expect("published").manifest;
    let beside: Vec<_> = manifest
        .beside()
        .iter()
        .map(|file| (file.name().as_str(), file.size(), file.digest()))
        .collect();
    assert_eq!(
        beside,
        [
            ("user-data", 14, Digest::of(b"#cloud-config\n")),
            ("meta-data", 0, Digest::of(b"")),
            ("root.squashfs", 4, Digest::of(b"hsqs")),
        ]
    );
    let opened = bench
        .store
        .open_file(&"cloud/@1/user-data".parse().expect("a path"))
        .expect("opened");
    assert_eq!((opened.size, opened.digest), (14, beside[0].2));
    let sums = fs::read_to_string(bench.store.root().join("cloud/SHA256SUMS")).expect("the sums");
    let names: Vec<_> = sums.lines().map(|line| &line[66..]).collect();
    assert_eq!(
        names,
        [
            "bzImage",
            "initrd",
            "user-data",
            "meta-data",
            "root.squashfs",
            "manifest.json"
        ]
    );
    let damaged = bench.store.root().join("cloud/root.squashfs");
    fs::remove_file(&damaged).expect("removed");
    fs::write(&damaged, "hsqt").expect("damaged");
    let report = bench.store.verify(&name("cloud"), None).expect("a report");
    assert_eq!(report.damage.len(), 1);
    assert!(
        report.damage[0]
            .to_string()
            .starts_with("root.squashfs: expected ")
    );
}

#[test]
fn what_does_not_go_together_is_refused_and_leaves_nothing() {
    let bench = Bench::new();
    let before = tree(bench.store.root());
    let seed = || bench.file("seed", "x");
    for taken in ["bzImage", "INITRD", "SHA256SUMS", "manifest.json"] {
        let image = bench.image("a", "1").file(file_name(taken), seed());
        let error = bench.publish(image).expect_err(taken);
        assert!(
            matches!(
                &error,
                StoreError::Manifest {
                    reason: ManifestError::Value { field: "file", .. },
                    ..
                }
            ),
            "{error}"
        );
    }
    let cases = [
        (
            NewImage::efi(name("a"), bench.file("k", "#!/bin/sh\n")),
            "is no EFI program for x86 or arm64: it looks like a script",
        ),
        (
            NewImage::efi(name("a"), bench.file("v", program(0x0200))),
            "is no EFI program for x86 or arm64: it looks like a PE program for machine 0x0200",
        ),
        (
            NewImage::iso(name("a"), bench.file("z", vec![0; 40_000])),
            "is no ISO 9660 disc image: it looks like nothing but zeros",
        ),
        (
            NewImage::iso(name("a"), bench.file("l", kernel("1"))),
            "is no ISO 9660 disc image: it looks like a Linux kernel",
        ),
        (
            NewImage::chain(name("a"), "http://host/a").cmdline(["quiet"]),
            "image a: an image of kind chain has no field cmdline",
        ),
        (
            NewImage::iso(name("a"), bench.file("d", disc())).initrd(seed()),
            "image a: an image of kind iso has no field initrds",
        ),
        (
            NewImage::chain(name("a"), "menu.ipxe"),
            "is not an absolute http, https, tftp, ftp or nfs URL",
        ),
    ];
    for (image, text) in cases {
        let error = bench.publish(image).expect_err(text).to_string();
        assert!(error.ends_with(text), "{error}");
    }
    assert_eq!(Looks::like(&disc(), 17 * 2048), Looks::Iso);
    assert_eq!(tree(bench.store.root()), before);
}

#[test]
fn an_image_of_a_later_kind_is_its_own_problem_and_can_be_replaced_and_removed() {
    let bench = Bench::new();
    for image in ["a", "later", "z"] {
        bench.publish(bench.image(image, "1")).expect("published");
    }
    let path = bench.store.root().join("later/manifest.json");
    let text = fs::read_to_string(&path).expect("a manifest");
    fs::remove_file(&path).expect("removed");
    fs::write(&path, text.replace("\"linux\"", "\"floppy\"")).expect("written");

    let listing = bench.store.list().expect("a listing");
    let names: Vec<_> = listing.images.iter().map(|image| image.name()).collect();
    assert_eq!(names, ["a", "z"]);
    assert_eq!(listing.unusable.len(), 1);
    assert_eq!(
        listing.unusable[0].error.to_string(),
        "image later: images of kind \"floppy\" are not known to this version"
    );
    let reports = bench.store.verify_all().expect("reports");
    let whole: Vec<_> = reports.iter().map(|report| report.is_whole()).collect();
    assert_eq!(whole, [true, false, true]);

    let next = bench.publish(bench.image("later", "2")).expect("replaced");
    assert_eq!(next.manifest.generation().number(), 2);
    bench.store.remove(&name("later")).expect("removed");
    assert!(bench.store.list().expect("a listing").unusable.is_empty());
}
