//! A program of somebody else's on netboot-ipxe.

use netboot_ipxe::{Item, Menu};

fn main() {
    let script = Menu::new("Network boot")
        .item(Item::local_disk("local", "Local disk"))
        .script()
        .and_then(|script| script.render())
        .expect("a menu");
    assert!(script.starts_with("#!ipxe\n"));
    print!("{script}");
}
