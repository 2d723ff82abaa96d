//! Menus.

use netboot_ipxe::{Action, Cancel, Chain, Item, LocalDisk, Menu, Notice};

use super::{linux, text};

#[test]
fn a_menu_has_one_section_for_each_item_and_one_way_into_it() {
    let menu = Menu::new("Boot")
        .gap("Systems")
        .item(Item::new("NixOS 25.05", "NixOS", Action::Linux(linux())).key('n'))
        .item(Item::new(
            "nixos-25-05",
            "NixOS, same label",
            Action::Exit(1),
        ))
        .item(Item::shell("shell", "Shell"))
        .default_item("nixos-25-05")
        .timeout_ms(5_000)
        .on_cancel(Cancel::Exit(1));
    let script = text(menu.script());
    assert!(
        script.starts_with(
            "\
#!ipxe
set menu-timeout 5000
:menu
set menu-home menu
menu Boot
item --gap Systems
item --key n item-nixos-25-05 NixOS
item item-nixos-25-05-2 NixOS, same label
item item-shell Shell
choose --default item-nixos-25-05-2 --timeout ${menu-timeout} menu-choice || goto menu-cancelled
set menu-timeout 0
goto ${menu-choice}
:menu-cancelled
set menu-timeout 0
exit 1
:item-nixos-25-05
set boot-what NixOS
"
        ),
        "{script}"
    );
    assert!(script.contains(
        "\
boot ||
goto failed
:item-nixos-25-05-2
exit 1
:item-shell
echo Type exit to go back to the menu.
shell ||
goto menu
:failed
"
    ));
    assert!(script.ends_with(
        "\
goto ${boot-again}
:gave-up
prompt Press a key to go back to the menu. ||
goto ${menu-home}
"
    ));
}

#[test]
fn no_section_is_reached_from_the_one_before_it() {
    let below = Menu::new("Below").item(Item::new("n", "N", Action::Notice(Notice::new("n"))));
    let menu = Menu::new("All")
        .item(Item::new("a", "A", Action::Linux(linux())))
        .item(Item::new(
            "b",
            "B",
            Action::Chain(Chain::new("b", "http://10.0.0.1/b")),
        ))
        .item(Item::local_disk("c", "C"))
        .item(Item::new("d", "D", Action::LocalDisk(LocalDisk::Bios)))
        .item(Item::new("e", "E", Action::LocalDisk(LocalDisk::Efi)))
        .item(Item::shell("f", "F"))
        .item(Item::new("g", "G", Action::Menu(below)))
        .item(Item::new("h", "H", Action::Reboot))
        .item(Item::new("i", "I", Action::Exit(0)))
        .on_cancel(Cancel::Shell);
    let script = text(menu.script());
    let lines: Vec<&str> = script.lines().collect();
    let sections = lines
        .windows(2)
        .filter(|pair| pair[1].starts_with(":item-"));
    let mut count = 0;
    for pair in sections.filter(|pair| !pair[1].ends_with("-try")) {
        assert!(
            pair[0].starts_with("goto ") || pair[0].starts_with("exit "),
            "{pair:?}"
        );
        assert!(!pair[0].contains("||"), "{pair:?}");
        count += 1;
    }
    // Nine items, one below, and where the menu below is cancelled.
    assert_eq!(count, 11);
}
