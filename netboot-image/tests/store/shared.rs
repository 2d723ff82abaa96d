//! Contents that stand once.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::{Bench, kernel, links, name};

#[test]
fn the_same_content_stands_once() {
    let bench = Bench::new();
    bench.publish(bench.image("a", "1")).expect("published");
    bench.publish(bench.image("b", "1")).expect("published");
    bench.publish(bench.image("a", "1")).expect("published");
    // In three generations and among the blobs.
    assert_eq!(links(bench.store.root().join("a/bzImage")), 4);
    assert_eq!(links(bench.store.root().join("b/initrd")), 4);
    bench.store.remove(&name("a")).expect("removed");
    assert_eq!(links(bench.store.root().join("b/bzImage")), 2);
    bench.store.remove(&name("b")).expect("removed");
    assert_eq!(
        fs::read_dir(bench.store.root().join(".store/blobs"))
            .expect("blobs")
            .count(),
        0
    );
}

#[test]
fn what_an_image_takes_on_the_disk_counts_shared_contents_once() {
    const LARGE: u64 = 1 << 20;
    let bench = Bench::new();
    // No file system makes this smaller.
    let noise = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[2];
    let large = bench.file("large", (0..LARGE).map(noise).collect::<Vec<_>>());
    let takes = || {
        let image = bench.image("a", "1").initrd(&large);
        bench.publish(image).expect("published");
        bench.store.disk_use(&name("a")).expect("a number of bytes")
    };
    let (one, two) = (takes(), takes());
    assert!(one >= LARGE, "{one}");
    assert!(two > one && two < one + LARGE, "{one} and {two}");
}

#[test]
fn a_damaged_blob_is_not_shared_but_replaced() {
    let bench = Bench::new();
    bench.publish(bench.image("a", "1")).expect("published");
    let kernel_path = bench.store.root().join("a/bzImage");
    fs::set_permissions(&kernel_path, fs::Permissions::from_mode(0o644)).expect("made writable");
    let mut damaged = kernel("1");
    damaged[1030] ^= 1;
    fs::write(&kernel_path, &damaged).expect("damaged");

    bench.publish(bench.image("a", "1")).expect("published");
    bench.publish(bench.image("b", "1")).expect("published");
    assert_eq!(
        fs::read(bench.store.root().join("a/bzImage")).expect("the kernel"),
        kernel("1")
    );
    let b = bench.store.root().join("b/bzImage");
    assert_eq!(fs::read(&b).expect("the kernel"), kernel("1"));
    assert_eq!(links(&b), 3);
    let mode = fs::metadata(&b).expect("metadata").permissions().mode();
    assert_eq!(mode & 0o7777, 0o444);
}
