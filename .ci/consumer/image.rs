//! A program of somebody else's on netboot-image.

use netboot_image::{Digest, ImageName};

fn main() {
    let name: ImageName = "debian-12".parse().expect("a name");
    println!("{name}: {}", Digest::of(b"a kernel"));
    #[cfg(feature = "full")]
    {
        let nowhere = netboot_image::Store::open("/nonexistent");
        assert!(nowhere.is_err());
    }
}
