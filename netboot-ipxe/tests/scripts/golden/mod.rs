//! Whole scripts, written by hand, for each kind of entry and menu.

mod entries;
mod menus;
mod refused;

use netboot_ipxe::{CommandLine, LinuxBoot, RenderError, Script};

fn text(script: Result<Script, RenderError>) -> String {
    script
        .and_then(|script| script.render())
        .expect("it can be written")
}

fn linux() -> LinuxBoot {
    LinuxBoot::new("NixOS", "http://10.0.0.1/images/nixos/@7/bzImage")
        .initrd("initrd", "http://10.0.0.1/images/nixos/@7/initrd")
        .args(&CommandLine::parse("init=/nix/store/x/init quiet").expect("no quotes"))
}
