//! Importing what nixpkgs, Debian and Ubuntu leave, in each of their layouts.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use netboot_image::{BootLineError, BootMethod, Import, ImportError, Links};

use crate::common::{Bench, kernel, name};

const INIT: &str = "init=/nix/store/0c5wq-nixos-system-a-24.05/init";

/// The beginnings of two zstd frames: nixpkgs' initrd is two compressed archives, one after the
/// other.
const TWO_ARCHIVES: &[u8] = b"\x28\xb5\x2f\xfd the store \x28\xb5\x2f\xfd the rest";

/// A tree like that of `nix-build -A
/// config.system.build.{netbootRamdisk,kernel,netbootIpxeScript}`: the files in a store, read-only
/// and of the time that all of it is of, and result links to their directories.
fn nix_results(dir: &Path) -> PathBuf {
    let build = dir.join("build");
    for (path, content) in [
        ("store/1-ramdisk/initrd", TWO_ARCHIVES.to_vec()),
        ("store/2-kernel/bzImage", kernel("nix")),
        ("store/2-kernel/System.map", b"symbols".to_vec()),
        (
            "store/3-script/netboot.ipxe",
            format!(
                "#!ipxe\n# Use the cmdline variable\nkernel bzImage {INIT} initrd=initrd loglevel=4 ${{cmdline}}\n\
                 initrd initrd\nboot\n"
            )
            .into_bytes(),
        ),
    ] {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(&path, content).expect("written");
        date(&path);
        let mut permissions = fs::metadata(&path).expect("metadata").permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).expect("read-only, as in the store");
    }
    symlink("initrd", dir.join("store/1-ramdisk/initrd.zst")).expect("a link");
    fs::create_dir(&build).expect("made");
    for (link, target) in [
        ("result", "1-ramdisk"),
        ("result-2", "2-kernel"),
        ("result-3", "3-script"),
    ] {
        symlink(dir.join("store").join(target), build.join(link)).expect("a link");
    }
    build
}

/// Gives a file the time of everything in a Nix store: one second after 1970 began.
fn date(path: &Path) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let file = File::options().write(true).open(path).expect("opened");
    file.set_modified(time).expect("the time is set");
}

fn assert_is_the_nix_image(bench: &Bench, import: &Import) {
    assert_eq!(import.cmdline, [INIT, "loglevel=4"]);
    let manifest = bench
        .publish(import.image(name("nix")))
        .expect("published")
        .manifest;
    let BootMethod::Linux(linux) = manifest.boot() else {
        panic!("a Linux image")
    };
    assert_eq!(linux.cmdline()[0], INIT);
    let root = bench.store.root().join("nix");
    assert_eq!(
        fs::read(root.join("bzImage")).expect("the kernel"),
        kernel("nix")
    );
    assert_eq!(
        fs::read(root.join("initrd")).expect("the initrd"),
        TWO_ARCHIVES
    );
    assert!(manifest.source().is_some_and(|source| {
        source
            .from()
            .iter()
            .any(|path| path.ends_with("2-kernel/bzImage"))
    }));
}

#[test]
fn the_three_results_of_nix_build_are_one_image() {
    let bench = Bench::new();
    let build = nix_results(bench.dir.path());
    assert_is_the_nix_image(
        &bench,
        &Import::find_by([&build], Links::Anywhere).expect("found"),
    );
    let three = ["result", "result-2", "result-3"].map(|link| build.join(link));
    assert_is_the_nix_image(&bench, &Import::find(three).expect("found"));
}

#[test]
fn another_build_is_told_by_its_content_since_all_builds_have_the_same_time() {
    let bench = Bench::new();
    let build = nix_results(bench.dir.path());
    let import = Import::find_by([&build], Links::Anywhere).expect("found");
    bench.publish(import.image(name("nix"))).expect("published");
    let initrd = bench.dir.path().join("store/1-ramdisk/initrd");
    fs::remove_file(&initrd).expect("removed");
    let other = TWO_ARCHIVES.to_ascii_uppercase();
    fs::write(&initrd, &other).expect("written");
    date(&initrd);
    let import = Import::find_by([&build], Links::Anywhere).expect("found");
    let published = bench.publish(import.image(name("nix"))).expect("published");
    assert_eq!(published.manifest.generation().number(), 2);
    let root = bench.store.root().join("nix");
    assert_eq!(fs::read(root.join("initrd")).expect("the initrd"), other);
}

#[test]
fn a_joined_directory_and_a_script_by_its_path_are_read() {
    let bench = Bench::new();
    let build = nix_results(bench.dir.path());
    let joined = bench.dir.path().join("joined");
    fs::create_dir(&joined).expect("made");
    for part in ["result/initrd", "result-2/bzImage", "result-3/netboot.ipxe"] {
        let part = build.join(part);
        symlink(&part, joined.join(part.file_name().expect("a name"))).expect("a link");
    }
    assert_is_the_nix_image(
        &bench,
        &Import::find_by([&joined], Links::Anywhere).expect("found"),
    );
    assert_is_the_nix_image(
        &bench,
        &Import::find_by([joined.join("netboot.ipxe"), joined], Links::Anywhere).expect("found"),
    );
}

#[test]
fn published_names_with_the_system_and_absolute_urls_are_found_beside_the_script() {
    let bench = Bench::new();
    bench.file("bzImage-x86_64-linux", kernel("x"));
    bench.file("initrd-x86_64-linux", "x");
    let script = bench.file(
        "netboot-x86_64-linux.ipxe",
        format!(
            "#!ipxe\nkernel https://host/d/bzImage-x86_64-linux {INIT} initrd=initrd-x86_64-linux\n\
             initrd https://host/d/initrd-x86_64-linux\nboot\n"
        ),
    );
    let import = Import::find([script]).expect("found");
    assert!(
        import.kernel.ends_with("bzImage-x86_64-linux")
            && import.initrds[0].ends_with("initrd-x86_64-linux")
    );
    assert_eq!(import.cmdline, [INIT]);
}

#[test]
fn a_kexec_tree_and_a_debian_tree_are_read() {
    let bench = Bench::new();
    let tree = bench.dir.path().join("kexec");
    fs::create_dir(&tree).expect("made");
    fs::write(tree.join("bzImage"), kernel("x")).expect("written");
    // It is called that whatever compressed it.
    fs::write(tree.join("initrd.gz"), TWO_ARCHIVES).expect("written");
    let script = format!(
        "#!/bin/sh\nkexec --load ${{SCRIPT_DIR}}/bzImage \\\n  --initrd=${{SCRIPT_DIR}}/initrd.gz \\\n  \
         --command-line \"{INIT} quiet\"\n"
    );
    fs::write(tree.join("kexec-boot"), script).expect("written");
    assert_eq!(
        Import::find([&tree]).expect("found").cmdline,
        [INIT, "quiet"]
    );

    let debian = bench.dir.path().join("debian/debian-installer/amd64");
    fs::create_dir_all(&debian).expect("made");
    fs::write(debian.join("linux"), kernel("x")).expect("written");
    fs::write(debian.join("initrd.gz"), "x").expect("written");
    let import = Import::find([bench.dir.path().join("debian")]).expect("found");
    assert!(
        import.cmdline.is_empty() && import.script.is_none() && import.kernel.ends_with("linux")
    );
}

#[test]
fn ubuntus_trees_are_read_with_the_arguments_that_they_need() {
    let bench = Bench::new();
    let write = |path: &str, content: &[u8]| {
        let path = bench.dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, content).expect("written");
    };
    // As in the netboot archive of a live server: one folder an architecture.
    write("live/amd64/linux", &kernel("x"));
    write("live/amd64/initrd", b"x");
    write("live/amd64/pxelinux.0", b"x");
    write(
        "live/amd64/pxelinux.cfg/default",
        b"DEFAULT install\nLABEL install\n  KERNEL linux\n  INITRD initrd\n  APPEND root=/dev/ram0 \
          ramdisk_size=1500000 ip=dhcp iso-url=https://releases.example/live-server.iso\n",
    );
    let import = Import::find([bench.dir.path().join("live")]).expect("found");
    assert!(
        import
            .script
            .as_ref()
            .is_some_and(|it| it.ends_with("pxelinux.cfg/default"))
    );
    let manifest = bench
        .publish(import.image(name("ubuntu")))
        .expect("published")
        .manifest;
    let BootMethod::Linux(linux) = manifest.boot() else {
        panic!("a Linux image")
    };
    assert_eq!(
        linux.cmdline(),
        [
            "root=/dev/ram0",
            "ramdisk_size=1500000",
            "ip=dhcp",
            "iso-url=https://releases.example/live-server.iso"
        ]
    );
    // As in the older archives, whose configuration is a menu.
    write("old/ubuntu-installer/amd64/linux", &kernel("x"));
    write("old/ubuntu-installer/amd64/initrd.gz", b"x");
    write(
        "old/pxelinux.cfg/default",
        b"include ubuntu-installer/amd64/boot-screens/menu.cfg\n",
    );
    let import = Import::find([bench.dir.path().join("old")]).expect("found");
    assert!(import.cmdline.is_empty() && import.script.is_none());
    assert!(import.kernel.ends_with("ubuntu-installer/amd64/linux"));
    // As on a disc.
    write("disc/casper/vmlinuz", &kernel("x"));
    write("disc/casper/initrd", b"x");
    let import = Import::find([bench.dir.path().join("disc")]).expect("found");
    assert!(import.kernel.ends_with("casper/vmlinuz"));
}

#[test]
#[ignore = "needs /usr/lib/debian-installer of the Debian package debian-installer-12-netboot-amd64"]
fn debians_own_tree_is_found_and_its_menu_passed_over() {
    let import = Import::find(["/usr/lib/debian-installer/images/12/amd64/text"]).expect("found");
    assert!(import.kernel.ends_with("debian-installer/amd64/linux"));
    assert!(import.initrds[0].ends_with("debian-installer/amd64/initrd.gz"));
    assert!(import.cmdline.is_empty() && import.script.is_none());
}

#[test]
fn what_could_be_two_things_is_not_guessed() {
    let bench = Bench::new();
    bench.file("bzImage", kernel("x"));
    bench.file("vmlinuz", kernel("y"));
    bench.file("initrd", "x");
    let error = Import::find([bench.dir.path()]).expect_err("two kernels");
    assert!(
        matches!(error, ImportError::Ambiguous { part: "kernel", .. }),
        "{error}"
    );
    bench.file("netboot.ipxe", "#!ipxe\nkernel bzImage a=${ip}\n");
    let error = Import::find([bench.dir.path()]).expect_err("a setting");
    assert!(
        matches!(
            error,
            ImportError::Script {
                reason: BootLineError::Setting { line: 2, .. },
                ..
            }
        ),
        "{error}"
    );
    bench.file("netboot.ipxe", "#!ipxe\nkernel vmlinuz quiet\n");
    assert!(
        Import::find([bench.dir.path()])
            .expect("the script decides")
            .kernel
            .ends_with("vmlinuz")
    );
}

#[test]
fn a_link_that_leads_out_of_what_was_named_is_followed_only_where_that_is_said() {
    let bench = Bench::new();
    for folder in ["build/parts", "elsewhere"] {
        fs::create_dir_all(bench.dir.path().join(folder)).expect("made");
    }
    bench.file("shadow", "root's alone");
    bench.file("build/parts/bzImage", kernel("linked"));
    let build = bench.dir.path().join("build");
    symlink("parts/bzImage", build.join("bzImage")).expect("a link");
    symlink("../shadow", build.join("initrd")).expect("a link");
    let refused = Import::find([&build]).expect_err("a file elsewhere");
    let ImportError::Outside { part, path, .. } = &refused else {
        panic!("{refused}");
    };
    assert_eq!((*part, path.ends_with("shadow")), ("initrd", true));
    let found = Import::find_by([&build], Links::Anywhere).expect("as was said");
    assert!(found.initrds[0].ends_with("shadow"));
    // What was named may itself be a link, and hold what a link elsewhere leads to.
    let linked = bench.dir.path().join("linked");
    symlink(bench.dir.path(), &linked).expect("a link");
    assert!(Import::find([&build, &linked]).is_ok());
    // A folder that stands for a part is a link, too.
    fs::remove_file(build.join("initrd")).expect("removed");
    bench.file("elsewhere/initrd", "root's alone");
    symlink("../elsewhere", build.join("result")).expect("a link");
    let refused = Import::find([&build]).expect_err("a folder elsewhere");
    assert!(
        matches!(refused, ImportError::Outside { part: "initrd", .. }),
        "{refused}"
    );
}
