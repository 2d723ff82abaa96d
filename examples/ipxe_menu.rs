//! Builds a boot menu and prints its iPXE script.

use clap::Parser;
use netboot_ipxe::{
    Action, Arg, Chain, CommandLine, Item, LinuxBoot, Menu, Retry, Setting, SettingType,
};

/// Build a boot menu and print its iPXE script.
#[derive(Debug, Parser)]
struct Arguments {}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments {} = Arguments::parse();
    let images = "http://192.168.100.1/images";
    let mac = Setting::new("mac").scope("net0").typed(SettingType::HexHyp);

    let debian = LinuxBoot::new("Debian 12", format!("{images}/debian/bzImage"))
        .initrd("initrd", format!("{images}/debian/initrd"))
        .args(&CommandLine::parse("console=ttyS0 quiet")?)
        .arg(Arg::from("BOOTIF=01-").setting(mac));
    let rescue = LinuxBoot::new("Rescue", format!("{images}/rescue/bzImage"))
        .initrd("initrd", format!("{images}/rescue/initrd"))
        .retry(Retry::new(1, 0));

    let tools = Menu::new("Tools")
        .item(Item::new("rescue", "Rescue system", Action::Linux(rescue)))
        .item(Item::new("restart", "Restart", Action::Reboot));
    let other = Chain::new("another server", "http://192.168.100.2/boot.ipxe");

    let menu = Menu::new("Network boot")
        .gap("Systems")
        .item(Item::new("debian", "Debian 12", Action::Linux(debian)).key('d'))
        .item(Item::local_disk("local", "Boot from the local disk").key('l'))
        .gap("")
        .item(Item::new("tools", "Tools ...", Action::Menu(tools)))
        .item(Item::new("other", "Another server", Action::Chain(other)))
        .item(Item::shell("shell", "iPXE shell").key('s'))
        .default_item("local")
        .timeout_ms(10_000);

    print!("{}", menu.script()?.render()?);
    Ok(())
}
