//! Entries by themselves.

use netboot_ipxe::{
    Arg, Chain, Dhcp, Ending, LinuxBoot, LocalDisk, Notice, Retry, Setting, SettingType,
};

use super::{linux, text};

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
fn a_chain_asks_for_an_address_on_the_card_that_it_is_told_or_on_each() {
    let mac = Setting::new("mac").scope("netX").typed(SettingType::HexHyp);
    let chain = Chain::new(
        "the boot script",
        Arg::from("http://10.0.0.1/boot.ipxe?mac=").setting(mac),
    )
    .dhcp_first(Dhcp::new().configurator("dhcp").card("02:00:00:00:00:01"))
    .hint("the server at 10.0.0.1")
    .retry(Retry::new(0, 2));
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
set boot-card:int32 0
:boot-look
iseq ${net${boot-card:int32}/mac} 02:00:00:00:00:01 && goto boot-known ||
inc boot-card:int32
iseq ${boot-card:int32} 32 || goto boot-look
set boot-card:int32 0
:boot-next
isset ${net${boot-card:int32}/mac} || goto boot-close
dhcp --configurator=dhcp net${boot-card:int32} || goto boot-close
chain --replace http://10.0.0.1/boot.ipxe?mac=${netX/mac:hexhyp} || goto boot-close
goto gave-up
:boot-close
ifclose net${boot-card:int32} ||
inc boot-card:int32
iseq ${boot-card:int32} 32 || goto boot-next
goto failed
:boot-known
dhcp --configurator=dhcp net${boot-card:int32} || goto failed
chain --replace http://10.0.0.1/boot.ipxe?mac=${netX/mac:hexhyp} || goto failed
goto gave-up
:failed
"
    ));
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
fn a_program_gets_its_arguments_as_a_kernel_does() {
    let chain = Chain::new("x", "http://10.0.0.1/uki.efi")
        .arg("console=ttyS0")
        .arg("a=one  two");
    let script = text(chain.script(Ending::Shell));
    assert!(
        script.contains("chain --replace http://10.0.0.1/uki.efi console=ttyS0 a=\"one "),
        "{script}"
    );
    for wrong in ["a\"b", "a\nb", "${net0/ip}"] {
        let chain = Chain::new("x", "http://10.0.0.1/uki.efi").arg(wrong);
        assert!(chain.script(Ending::Shell).is_err(), "{wrong:?}");
    }
}
