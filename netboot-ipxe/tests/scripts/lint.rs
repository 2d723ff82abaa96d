//! What the linter finds, each kind with a script that has it and one that has it not.

use netboot_ipxe::{
    Action, Chain, Dhcp, Item, LinuxBoot, Menu, Notice,
    lint::{self, Build, Finding, Platform, Severity, lint},
};

use super::code;

fn found(body: &str) -> Vec<Finding> {
    lint(
        &format!("#!ipxe\n{body}\n"),
        &Build::everything(),
        Platform::Any,
    )
}

/// Code, line and column of what is found.
fn codes(body: &str) -> Vec<(&'static str, usize, usize)> {
    found(body)
        .iter()
        .map(|finding| (code(finding), finding.line, finding.column))
        .collect()
}

#[test]
fn a_script_that_ipxe_does_not_take_or_end_is_found() {
    let codes = |source: &str| {
        let found = lint(source, &Build::everything(), Platform::Any);
        found
            .iter()
            .map(|f| (code(f), f.severity, f.line, f.column))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        codes("\u{feff}#!ipxe\n"),
        [("no-magic", Severity::Error, 1, 1)]
    );
    assert_eq!(
        codes("#!ipxe\necho x"),
        [("no-final-newline", Severity::Warning, 2, 7)]
    );
    assert_eq!(
        codes("#!ipxe\necho x\\\n"),
        [("unfinished-line", Severity::Error, 2, 7)]
    );
    assert_eq!(codes("#!ipxe\necho \0\n"), [("nul", Severity::Error, 2, 6)]);
    assert_eq!(codes("#!ipxe\necho x\n"), []);
}

#[test]
fn misspelt_commands_and_options_come_with_the_nearest() {
    let finding = &found("  kernal x")[0];
    assert_eq!(
        finding.to_string(),
        "2:3: error[unknown-command]: there is no command `kernal`; did you mean `kernel`?"
    );
    let finding = &found("kernel x console= && chain --relpace y")[0];
    assert_eq!(
        finding.to_string(),
        "2:28: error[unknown-option]: `chain` has no option `--relpace`; did you mean `--replace`?"
    );
    assert_eq!(codes("chain --name"), [("option-value", 2, 7)]);
    assert_eq!(codes("echo -n=1"), [("unknown-option", 2, 6)]);
    assert_eq!(codes("chain --replace=1 x"), [("option-value", 2, 7)]);
    assert_eq!(codes("iseq a"), [("word-count", 2, 1)]);
    assert_eq!(codes("sleep 1 2"), [("word-count", 2, 1)]);
    assert_eq!(
        codes(&format!("echo{}", " x".repeat(256))),
        [("too-many-words", 2, 1)]
    );
    // What a setting may turn out to be is not known.
    assert_eq!(codes("${command} x\nsleep ${a} ${b}\nset x"), []);
}

#[test]
fn labels_are_defined_once() {
    assert_eq!(
        codes(":a\n:b\n:a\ngoto c"),
        [("duplicate-label", 4, 2), ("unknown-label", 5, 6)]
    );
    assert_eq!(codes(":a\nisset ${x} && goto a || goto ${y}"), []);
}

#[test]
fn what_is_never_reached_is_found_once() {
    assert_eq!(
        codes(":a\ngoto a\n# why\necho x\necho y"),
        [("unreachable", 5, 1)]
    );
    assert_eq!(codes("exit\n\n:a echo x\ngoto a ||\necho y"), []);
}

#[test]
fn a_menu_has_a_way_out() {
    assert_eq!(codes("choose x"), [("no-way-out", 2, 1)]);
    assert_eq!(codes(":a\nchoose x && goto ${x} || goto a"), []);
}

#[test]
fn a_kernel_names_its_initrd_where_uefi_may_run_it() {
    let body = "kernel http://x/k quiet\ninitrd http://x/i\nboot";
    assert_eq!(codes(body), [("kernel-without-initrd", 2, 1)]);
    assert_eq!(
        codes("kernel http://x/k initrd=i\ninitrd http://x/i\nboot"),
        []
    );
    assert_eq!(
        codes("kernel http://x/k ${args}\ninitrd http://x/i\nboot"),
        []
    );
    assert_eq!(codes("kernel http://x/k\nboot"), []);
    assert_eq!(
        codes(":a\nkernel http://x/k\nboot\n:b\ninitrd http://x/i"),
        []
    );
    assert_eq!(codes("kernel http://x/wimboot\ninitrd http://x/i"), []);
    let on = |build: &Build, platform| lint(&format!("#!ipxe\n{body}\n"), build, platform);
    assert_eq!(on(&Build::everything(), Platform::Bios), []);
    // From 2023-02-15 on iPXE offers the kernel all initrds (6a004be0c).
    assert_eq!(on(&Build::debian_12(), Platform::Efi).len(), 1);
    assert_eq!(on(&Build::debian_13(), Platform::Efi), []);
    assert_eq!(on(&Build::default_2026(), Platform::Efi), []);
}

#[test]
fn an_initrd_that_was_never_loaded_is_found_where_uefi_may_run_the_kernel() {
    let body = "kernel http://x/k quiet initrd=initrd.gz\ninitrd http://x/initrd\nboot";
    assert_eq!(codes(body), [("initrd-never-loaded", 2, 25)]);
    assert_eq!(
        codes("kernel http://x/k\nimgargs k initrd=none\nboot"),
        [("initrd-never-loaded", 3, 11)]
    );
    for known in [
        "kernel k initrd=initrd\ninitrd http://x/a/initrd?b=c/d\nboot",
        "kernel k initrd=One initrd=two\ninitrd --name one x\nmodule -n TWO y\nboot",
        "kernel k initrd=a+b\ninitrd http://x/a%2Bb\nboot",
        "kernel k initrd=\\initrd\ninitrd http://x/initrd\nboot",
        "kernel k initrd=initrd.magic\ninitrd http://x/i\nboot",
        // It may be any of these.
        "kernel k initrd=i\ninitrd ${url}\nboot",
        "kernel k initrd=${name}\ninitrd http://x/i\nboot",
        "kernel http://x/memdisk initrd=i\ninitrd http://x/disk\nboot",
    ] {
        assert_eq!(codes(known), [], "{known}");
    }
    let source = format!("#!ipxe\n{body}\n");
    let on = |build: &Build, platform| lint(&source, build, platform).len();
    assert_eq!(on(&Build::debian_13(), Platform::Efi), 1);
    assert_eq!(on(&Build::debian_12(), Platform::Bios), 0);
}

#[test]
fn a_command_line_that_would_be_cut_is_found() {
    let line = |len: usize| format!("kernel http://x/k {}", "x".repeat(len));
    assert_eq!(codes(&line(2048)), [("command-line-too-long", 2, 1)]);
    assert_eq!(codes(&line(2047)), []);
}

#[test]
fn exit_with_status_0_is_found_under_uefi_only() {
    let on = |platform| {
        let source = "#!ipxe\nisset ${x} && exit || exit 1\nexit 0\n";
        let found = lint(source, &Build::everything(), platform);
        found
            .iter()
            .map(|f| (code(f), f.line, f.column))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        on(Platform::Efi),
        [("exit-zero", 2, 15), ("exit-zero", 3, 1)]
    );
    assert_eq!(on(Platform::Any), []);
}

#[test]
fn what_a_build_lacks_is_found_unless_the_line_expects_it() {
    let on = |body: &str, build: &Build| {
        let found = lint(&format!("#!ipxe\n{body}\n"), build, Platform::Any);
        found.iter().map(|f| f.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        on(
            "poweroff\nkernel --quiet x\nchain https://x/y",
            &Build::debian_12()
        ),
        [
            "`poweroff` is not in Debian 12's build of 2019-01-25",
            "`kernel --quiet` is not in Debian 12's build of 2019-01-25",
            "`https` is not in Debian 12's build of 2019-01-25",
        ]
    );
    assert_eq!(
        on(
            "poweroff || reboot\nchain --quiet x ||\nchain http://x/y",
            &Build::debian_12()
        ),
        [""; 0]
    );
    assert_eq!(
        on(
            "poweroff\nkernel --quiet x\nchain https://x/y\nimgextract x",
            &Build::debian_13()
        ),
        [
            "`kernel --quiet` is not in Debian 13's build of 2025-05-01",
            "`imgextract` is not in Debian 13's build of 2025-05-01",
        ]
    );
    assert_eq!(
        on("imgverify x y", &Build::default_2026()),
        ["`imgverify` is not in default builds"]
    );
    let bare = Build::everything().with_features([0x15]);
    assert_eq!(
        on(
            "menu x\nchain http://10.0.0.1/y\nchain tftp://10.0.0.1/y",
            &bare
        ),
        [
            "`menu` is not in a build of everything",
            "`http` is not in a build of everything"
        ]
    );
}

#[test]
fn what_a_client_announces_says_which_commands_and_hosts_it_knows() {
    let on = |body: &str, features: &[u8]| {
        let build = Build::new(
            "it",
            ["vcreate", "form", "present", "chain", "sanboot", "nslookup"],
        );
        let build = build.with_features(features.iter().copied());
        let found = lint(&format!("#!ipxe\n{body}\n"), &build, Platform::Any);
        found.iter().map(|f| f.message.clone()).collect::<Vec<_>>()
    };
    let http = 0x13;
    let not = |what: &str| [format!("{what} is not in it")];
    assert_eq!(on("vcreate --tag 5 net0", &[http]), not("`vcreate`"));
    assert_eq!(on("vcreate --tag 5 net0", &[http, 0x26]), [""; 0]);
    assert_eq!(on("form Name", &[http]), not("`form`"));
    assert_eq!(on("nslookup ip host", &[http]), not("`nslookup`"));
    assert_eq!(on("sanboot iscsi:10.0.0.1::::iqn", &[http]), not("`iscsi`"));
    assert_eq!(on("sanboot aoe:e0.0", &[http]), not("`aoe`"));
    assert_eq!(on("sanboot aoe:e0.0", &[0x12]), [""; 0]);
    let by_name = "chain http://boot.example/x";
    assert_eq!(on(by_name, &[http]), not("finding hosts by name"));
    assert_eq!(on(by_name, &[http, 0x17]), [""; 0]);
    for no_name in [
        "chain http://10.0.0.1:8080/x",
        "chain http://[fe80::1]/x",
        "chain http://${next-server}/x",
        "chain x url=http://boot.example/y",
        "chain x https://boot.example/y",
    ] {
        assert_eq!(on(no_name, &[http]), [""; 0], "{no_name}");
    }
}

#[test]
fn the_operator_of_a_shell_is_no_operator() {
    assert_eq!(codes("chain x | goto y\n:y"), [("lone-operator", 2, 9)]);
    assert_eq!(codes("menu Boot | http://x/\necho a & b"), []);
}

#[test]
fn places_are_those_of_the_text_as_written() {
    assert_eq!(
        codes("echo é \\\r\n && ehco x"),
        [("unknown-command", 3, 5)]
    );
}

#[test]
fn what_this_crate_writes_has_no_findings_on_debian_12_and_13() {
    let below = Menu::new("Below").item(Item::new("n", "N", Action::Notice(Notice::new("- n"))));
    let boot = LinuxBoot::new("x", "http://10.0.0.1/k").initrd("initrd", "http://10.0.0.1/i");
    let menu = Menu::new("All")
        .item(Item::new("a", "A", Action::Linux(boot)))
        .item(Item::new(
            "b",
            "B",
            Action::Chain(
                Chain::new("b", "http://10.0.0.1/b")
                    .dhcp_first(Dhcp::new().card("02:00:00:00:00:01")),
            ),
        ))
        .item(Item::local_disk("c", "C"))
        .item(Item::shell("d", "D"))
        .item(Item::new("e", "E", Action::Menu(below)))
        .item(Item::new("f", "F", Action::Reboot))
        .timeout_ms(1);
    let text = menu
        .script()
        .and_then(|script| script.render())
        .expect("it can be written");
    for build in [Build::debian_12(), Build::debian_13()] {
        assert_eq!(lint(&text, &build, Platform::Efi), []);
    }
}

#[test]
fn a_text_of_nothing_but_mistakes_has_a_bounded_number_of_findings() {
    let body = "kernal x || ".repeat(20_000);
    assert_eq!(found(&body).len(), lint::MAX_FINDINGS);
}

/// Idioms found in public scripts, in words of our own. Besides, the scripts that the README names
/// were read by hand; their texts are not ours to keep here.
#[test]
fn what_people_write_is_no_error() {
    let body = "
:start
isset ${arch} && goto known || # not yet
cpuid --ext 29 && set arch x86_64 || set arch i386
:known
chain --autofree boot.cfg ||
set esc:hex 1b
set bold ${esc:string}[1m
isset ${next-server} && menu From ${next-server} || menu Boot
item --gap -- ------------- Systems -------------
item --gap
item --key 0x197e one ${bold} One (64-bit)
iseq ${a} 1 && iseq ${platform} pcbios && item two ${space} Two ||
iseq ${arch} x86_64 &&
item\tthree\tThree
choose --timeout ${timeout} --default ${menu} menu || goto start
goto ${menu} ||
:one
kernel nfs://${server}${path}/vmlinuz ip=${ip}::${gateway}:${netmask} BOOTIF=01-${netX/mac:hexhyp} || read void
initrd windows/Boot/BCD         BCD
imgargs vmlinuz initrd=initrd.magic root=/dev/nfs -- || shell
boot || goto start
:two
sanboot --no-describe --drive 0x81 ${net0.dhcp/root-path} || goto start
params
param mac ${${busid}/mac}
console --x 1024 --picture http://x/y.png --keep ||
prompt --key 0x02 --timeout 2000 Press Ctrl-B ... && shell ||
goto start
";
    assert_eq!(found(body), []);
}
