//! Whole scripts, written by hand, for each kind of entry and menu.

use netboot_ipxe::{
    Action, Arg, Cancel, Chain, CommandLine, Ending, Item, LinuxBoot, LocalDisk, Menu, Notice,
    Problem, Retry, Script, Setting, SettingType,
};

fn text(script: Result<Script, netboot_ipxe::RenderError>) -> String {
    script
        .and_then(|script| script.render())
        .expect("it can be written")
}

fn linux() -> LinuxBoot {
    LinuxBoot::new("NixOS", "http://10.0.0.1/images/nixos/@7/bzImage")
        .initrd("initrd", "http://10.0.0.1/images/nixos/@7/initrd")
        .args(&CommandLine::parse("init=/nix/store/x/init quiet").expect("no quotes"))
}

#[test]
fn a_linux_entry_tries_a_bounded_number_of_times_and_then_ends() {
    assert_eq!(
        text(linux().script(Ending::Shell)),
        "\
#!ipxe
:boot
set boot-what NixOS
set boot-hint http://10.0.0.1/images/nixos/@7/bzImage
set boot-again boot-try
set boot-tries 3
set boot-pause 5
set boot-attempt:int32 1
:boot-try
imgfree
echo Booting ${boot-what}
kernel --name bzImage http://10.0.0.1/images/nixos/@7/bzImage initrd=initrd init=/nix/store/x/init quiet || goto failed
initrd --name initrd http://10.0.0.1/images/nixos/@7/initrd || goto failed
boot ||
goto failed
:failed
imgfree
echo Could not boot ${boot-what}: attempt ${boot-attempt:int32} of ${boot-tries}
echo Look at: ${boot-hint}
iseq ${boot-attempt:int32} ${boot-tries} && goto gave-up ||
inc boot-attempt:int32
echo Trying again in ${boot-pause} seconds; Ctrl-C gives up
sleep ${boot-pause} || goto gave-up
goto ${boot-again}
:gave-up
echo Type exit to leave iPXE and go on in the boot order.
shell ||
exit 1
"
    );
}

#[test]
fn signatures_are_checked_after_all_is_fetched_and_before_anything_runs() {
    let script = text(
        linux()
            .initrd_signature("http://10.0.0.1/initrd.sig")
            .kernel_signature("http://10.0.0.1/bzImage.sig")
            .signer("netboot")
            .script(Ending::Shell),
    );
    assert!(script.contains(
        "\
initrd --name initrd http://10.0.0.1/images/nixos/@7/initrd || goto failed
imgverify --signer netboot bzImage http://10.0.0.1/bzImage.sig || goto failed
imgverify --signer netboot initrd http://10.0.0.1/initrd.sig || goto failed
boot ||
"
    ));
}

#[test]
fn the_local_disk_is_booted_as_the_platform_wants() {
    let gave_up = "\
echo Could not boot from the local disk. Look at: the disk, and its boot loader
goto gave-up
:gave-up
prompt --timeout 30000 Leaving iPXE; a key goes on at once. ||
exit 1
";
    let ending = Ending::Exit {
        status: 1,
        wait_ms: 30_000,
    };
    assert_eq!(
        text(LocalDisk::Efi.script(ending)),
        "#!ipxe\n:boot\nexit 1\n"
    );
    assert_eq!(
        text(LocalDisk::Bios.script(ending)),
        format!("#!ipxe\n:boot\nsanboot --no-describe --drive 0x80 ||\n{gave_up}")
    );
    assert_eq!(
        text(LocalDisk::ByPlatform.script(ending)),
        format!(
            "#!ipxe\n:boot\niseq ${{platform}} efi && exit 1 ||\n\
             sanboot --no-describe --drive 0x80 ||\n{gave_up}"
        )
    );
}

#[test]
fn a_notice_says_its_lines_and_waits_for_a_key_before_a_restart() {
    let notice = Notice::new("The image x is not in the store.")
        .line("")
        .line("- add it");
    assert_eq!(
        text(notice.script(Ending::Reboot { wait_ms: 0 })),
        "\
#!ipxe
:boot
echo The image x is not in the store.
echo
echo -- - add it
goto gave-up
:gave-up
prompt Restarting; a key goes on at once. ||
reboot
"
    );
}

#[test]
fn a_chain_asks_for_an_address_only_where_there_is_none() {
    let mac = Setting::new("mac").scope("netX").typed(SettingType::HexHyp);
    let chain = Chain::new(
        "the boot script",
        Arg::from("http://10.0.0.1/boot.ipxe?mac=").setting(mac),
    )
    .dhcp_first()
    .hint("the server at 10.0.0.1")
    .retry(Retry {
        tries: 0,
        pause_s: 2,
    });
    let script = text(chain.script(Ending::Shell));
    assert!(script.starts_with(
        "\
#!ipxe
:boot
set boot-what the boot script
set boot-hint the server at 10.0.0.1
set boot-again boot-try
set boot-tries 1
set boot-pause 2
set boot-attempt:int32 1
:boot-try
imgfree
echo Booting ${boot-what}
isset ${ip} || dhcp || goto failed
chain --replace http://10.0.0.1/boot.ipxe?mac=${netX/mac:hexhyp} || goto failed
goto gave-up
:failed
"
    ));
}

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

#[test]
fn initrds_are_named_on_the_kernel_line_in_their_order() {
    let script = text(
        linux()
            .initrd("extra.cpio", "http://10.0.0.1/extra?x=1")
            .arg("initrd=other")
            .script(Ending::Shell),
    );
    let kernel = script
        .lines()
        .find(|line| line.starts_with("kernel "))
        .unwrap_or_default();
    assert!(
        kernel.contains("/bzImage initrd=initrd initrd=extra.cpio init=/nix/store/x/init quiet ||"),
        "{kernel}"
    );
    assert!(
        script.contains("\ninitrd --name extra.cpio http://10.0.0.1/extra?x=1 || goto failed\n")
    );
}

#[test]
fn the_kernel_never_has_the_name_of_an_initrd() {
    let script = text(
        LinuxBoot::new("x", "http://10.0.0.1/a/Boot")
            .initrd("boot", "http://10.0.0.1/b/boot")
            .script(Ending::Shell),
    );
    assert!(script.contains("\nkernel --name kernel http://10.0.0.1/a/Boot initrd=boot ||"));
}

#[test]
fn a_kernel_argument_with_blanks_reaches_the_kernel_as_one() {
    let script = text(
        LinuxBoot::new("x", "http://10.0.0.1/k")
            .arg("a=one  two")
            .arg("#b")
            .arg("||")
            .arg("c;d")
            .arg("e\\")
            .script(Ending::Shell),
    );
    assert!(
        script.starts_with(
            "#!ipxe\nset _20:hex 20\nset _23:hex 23\nset _5c:hex 5c\nset _7c:hex 7c\n"
        )
    );
    assert!(
        script.contains(
            "/k a=\"one ${_20:string}two\" ${_23:string}b ${_7c:string}| c;d e${_5c:string} || goto failed\n"
        ),
        "{script}"
    );
}

#[test]
fn what_cannot_be_written_is_named() {
    let error = |boot: LinuxBoot| {
        boot.script(Ending::Shell)
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    let expect = |boot, text: &str| assert_eq!(error(boot), Err(text.to_owned()));
    expect(
        linux().arg("x=${net0/mac}"),
        "entry, kernel argument 3 `x=${net0/mac}`: holds the text `${…}`, which iPXE would expand",
    );
    expect(
        linux().arg("a\nb"),
        "entry, kernel argument 3 `a\\nb`: holds the control character U+000A",
    );
    expect(
        linux().arg("a\0b"),
        "entry, kernel argument 3 `a\\u{0}b`: holds the control character U+0000",
    );
    expect(linux().arg(""), "entry, kernel argument 3 ``: is empty");
    expect(
        linux().arg("a=\"b"),
        "entry, kernel argument 3 `a=\"b`: has double quotes that the kernel would read otherwise than meant",
    );
    expect(
        linux().initrd("INITRD", "http://10.0.0.1/x"),
        "entry, initrd `INITRD`, name: is there twice",
    );
    expect(
        linux().initrd("a b", "http://10.0.0.1/x"),
        "entry, initrd `a b`, name: ' ' cannot stand in this name",
    );
    expect(
        linux().initrd("two", "http://10.0.0.1/a b"),
        "entry, initrd `two`, URL: ' ' cannot stand in this name",
    );
    expect(
        linux().initrd("two", ""),
        "entry, initrd `two`, URL: is empty",
    );
    expect(LinuxBoot::new("x", ""), "entry, kernel URL: is empty");
    expect(
        LinuxBoot::new("", "http://10.0.0.1/x"),
        "entry, title: is empty",
    );
    expect(
        LinuxBoot::new("a ${b c} d", "http://10.0.0.1/x"),
        "entry, title: holds the text `${…}`, which iPXE would expand",
    );
    expect(
        linux().hint("two\nlines"),
        "entry, hint: holds the control character U+000A",
    );
    expect(
        linux().arg("x".repeat(2100)),
        &format!(
            "entry, kernel arguments: has {} bytes, and at most 2047 are kept",
            "initrd=initrd init=/nix/store/x/init quiet ".len() + 2100
        ),
    );
    expect(
        linux().arg(Setting::new("a}b")),
        "entry, kernel argument 3 `${a}b}`: '}' cannot stand in this name",
    );
}

#[test]
fn what_is_wrong_with_a_menu_is_named() {
    let item = |name: &str| Item::new(name, "text", Action::Reboot);
    let expect = |menu: Menu, place: &str, problem: Problem| {
        let error = menu.script().expect_err("it cannot be written");
        assert_eq!((error.place(), error.problem()), (place, &problem));
    };
    expect(Menu::new("x"), "menu, items", Problem::NoItem);
    expect(
        Menu::new("a\nb").item(item("a")),
        "menu, title",
        Problem::Control('\n'),
    );
    expect(
        Menu::new("x").item(item("a")).item(item("a")),
        "item `a`, name",
        Problem::Duplicate,
    );
    expect(
        Menu::new("x")
            .item(item("a").key('k'))
            .item(item("b").key('k')),
        "item `b`, key `k`",
        Problem::Duplicate,
    );
    expect(
        Menu::new("x").item(item("a").key('é')),
        "item `a`, key",
        Problem::Character('é'),
    );
    expect(
        Menu::new("x").item(item("a")).default_item("b"),
        "menu, default `b`",
        Problem::UnknownItem,
    );
    expect(
        Menu::new("x").item(Item::new("a\n", "${x}", Action::Reboot)),
        "item `a\\n`, text",
        Problem::Expansion,
    );
}
