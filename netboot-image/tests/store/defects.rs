//! The defects of the scripts that this store takes the place of, as far as they are about images;
//! each is numbered as in the list of eight. The others (3, no program for BIOS; 5, a MAC that
//! selects nothing; 7, the guard of the disk) are about boot policy and installing. Nothing here
//! needs Nix.

use std::fs;
use std::io::Cursor;
use std::sync::atomic::{AtomicBool, Ordering};

use netboot_image::{BootMethod, Digest, Import, Input, NewImage, StoreError};

use crate::common::{Bench, kernel, name, now, tree};

#[test]
fn defect_1_a_placeholder_in_the_place_of_the_system_is_refused() {
    let bench = Bench::new();
    bench.file("bzImage", kernel("x"));
    bench.file("initrd", "x");
    bench.file(
        "netboot.ipxe",
        "#!ipxe\nkernel bzImage init=/nix/store/.../init initrd=initrd\ninitrd initrd\nboot\n",
    );
    let import = Import::find([bench.dir.path()]).expect("found");
    let error = bench.publish(import.image(name("a"))).expect_err("refused");
    assert!(error.to_string().contains("placeholder"), "{error}");
}

#[test]
fn defect_2_the_ramdisk_alone_is_refused_and_what_is_missing_is_named() {
    let bench = Bench::new();
    // What building `netbootRamdisk` alone leaves.
    let ramdisk = bench.dir.path().join("result");
    fs::create_dir(&ramdisk).expect("made");
    fs::write(ramdisk.join("initrd"), "two archives").expect("written");
    let error = Import::find([&ramdisk]).expect_err("no kernel").to_string();
    assert!(error.starts_with("no kernel in "), "{error}");
    assert!(
        error.ends_with(
            "nixpkgs builds it as config.system.build.kernel, apart from netbootRamdisk"
        ),
        "{error}"
    );
}

#[test]
fn defect_4_only_images_that_were_built_are_listed() {
    let bench = Bench::new();
    bench.publish(bench.image("built", "1")).expect("published");
    let broken = NewImage::linux(name("failed"), bench.dir.path().join("absent"));
    bench.publish(broken).expect_err("never built");
    fs::create_dir(bench.store.root().join("empty")).expect("a folder made by hand");
    let listing = bench.store.list().expect("a listing");
    let names: Vec<_> = listing.images.iter().map(|image| image.name()).collect();
    assert_eq!(names, ["built"]);
    let unusable: Vec<_> = listing.unusable.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(unusable, ["empty"]);
}

#[test]
fn defect_6_while_an_image_is_replaced_its_files_are_of_one_generation() {
    let bench = Bench::new();
    let publish = |mark: &str| {
        let image = NewImage::linux(name("a"), Input::reader("k", Cursor::new(kernel(mark))))
            .initrd(Input::reader("i", Cursor::new(format!("initrd {mark}"))));
        bench.store.publish(now(), image)
    };
    publish("0").expect("published");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Two at once, as parallel builds are.
        let writers = ["one", "two"].map(|writer| {
            scope.spawn(move || {
                for number in 0..10 {
                    publish(&format!("{writer} {number}")).expect("published");
                }
            })
        });
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !done.load(Ordering::Relaxed) || seen == 0 {
                let manifest = bench.store.image(&name("a"), None).expect("always there");
                let BootMethod::Linux(linux) = manifest.boot() else {
                    panic!("a Linux image")
                };
                for file in [linux.kernel(), &linux.initrds()[0]] {
                    let opened = bench
                        .store
                        .open_file_of(&manifest, file.name())
                        .expect("there");
                    let (digest, size) = Digest::of_reader(opened.file).expect("read");
                    assert_eq!((digest, size), (file.digest(), file.size()));
                }
                seen += 1;
            }
            seen
        });
        // The reader must be told before a writer's panic is passed on, or it would read for ever.
        let written = writers.map(|writer| writer.join());
        done.store(true, Ordering::Relaxed);
        assert!(written.iter().all(Result::is_ok));
        assert!(reader.join().expect("no panic") > 0);
    });
    let last = bench.store.image(&name("a"), None).expect("there");
    assert_eq!(last.generation().number(), 21, "no publication was lost");
}

#[test]
fn defect_8_an_error_half_way_leaves_nothing_and_the_other_images_stand() {
    let bench = Bench::new();
    bench.publish(bench.image("good", "1")).expect("published");
    bench.publish(bench.image("again", "1")).expect("published");
    let before = tree(bench.store.root());
    for image in ["new", "again"] {
        // The kernel is copied before it turns out that there is no initial RAM disk.
        let broken = NewImage::linux(name(image), bench.file("k", kernel("2")))
            .initrd(bench.dir.path().join("absent"));
        let error = bench.publish(broken).expect_err("no initrd");
        assert!(
            matches!(error, StoreError::Io { action: "read", .. }),
            "{error}"
        );
        assert_eq!(tree(bench.store.root()), before);
    }
    let reports = bench.store.verify_all().expect("reports");
    assert!(reports.len() == 2 && reports.iter().all(netboot_image::Report::is_whole));
}
