//! The crate's scripts in real iPXE: Debian's `ipxe.lkrn` in QEMU, without a network. The script
//! goes in as the initrd, the console is the serial port. `NETBOOT_IPXE` names the folder of
//! another build than that of the package that is installed.

mod differential;
mod machine;

use netboot_ipxe::{
    Action, Arg, Cancel, Chain, Command, Ending, Item, LinuxBoot, LocalDisk, Menu, Notice,
    Operator, Retry, Script, Setting, SettingType, lint::Build,
};

use machine::Machine;

/// Starts a machine on a script.
fn start(name: &str, script: &Script) -> Machine {
    Machine::start(name, &script.render().expect("the script can be written"))
}

/// The console is slower than the restart: the last line would be lost.
fn off(script: &mut Script) -> &mut Script {
    script.sleep(1).command(Command::Reboot { warm: false })
}

#[test]
#[ignore = "needs qemu-system-x86 and the ipxe package"]
fn text_that_would_mean_something_is_shown_to_the_letter() {
    let texts = [
        "two  blanks and a third ",
        " a blank first",
        "# no comment",
        "half # way",
        "a || b",
        "a && b ; c",
        ";",
        "||",
        "-n is no option",
        "--",
        "${half",
        "$ { x } ${",
        "${\\",
        "${a b}  ${\\",
        "ends in \\",
        "\\",
        ":not-a-label",
        "100% \"quoted\" 'text'",
    ];
    let mut script = Script::new();
    for text in texts {
        script.echo(Arg::from(text).text("|"));
        script.echo(text);
        script.echo("next");
    }
    let seen = start("letter", off(&mut script)).finish();
    for text in texts {
        assert!(
            seen.contains(&format!("{text}|\n{text}\nnext\n")),
            "{text:?} in:\n{seen}"
        );
    }
    assert!(!seen.contains("command not found"), "{seen}");
}

#[test]
#[ignore = "needs qemu-system-x86 and the ipxe package"]
fn blanks_in_an_argument_are_the_bytes_they_were() {
    let bytes = Setting::new("bytes");
    let mut script = Script::new();
    script
        .set(
            &bytes.clone().typed(SettingType::Hex),
            "61:09:20:0a:0b:0c:0d:20",
        )
        .iseq("a\t \n\u{b}\u{c}\r ", bytes.typed(SettingType::String))
        .then(Operator::And, echo("the same"))
        .then(Operator::Or, echo("not the same"));
    let seen = start("blanks", off(&mut script)).finish();
    assert!(
        seen.contains("the same\n") && !seen.contains("not the same"),
        "{seen}"
    );
}

fn echo(text: &str) -> Command {
    Command::Echo {
        same_line: false,
        text: text.into(),
    }
}

#[test]
#[ignore = "needs qemu-system-x86 and the ipxe package"]
fn a_value_in_a_setting_is_expanded_again() {
    let x = Setting::new("x");
    let mut script = Script::new();
    script
        .set(&Setting::new("secret"), "found")
        .set(&Setting::new("dollar").typed(SettingType::Hex), "24")
        .set(
            &x,
            Arg::from(Setting::new("dollar").typed(SettingType::String)).text("{secret}"),
        )
        .echo(Arg::from("[").setting(x).text("]"));
    let seen = start("again", off(&mut script)).finish();
    assert!(seen.contains("[found]\n"), "{seen}");
}

#[test]
#[ignore = "needs qemu-system-x86 and the ipxe package"]
fn a_failed_boot_is_tried_as_often_as_said_and_then_ends() {
    let boot = LinuxBoot::new("the test", "http://192.0.2.1/bzImage")
        .initrd("initrd", "http://192.0.2.1/initrd")
        .retry(Retry::new(3, 1))
        .hint("the server");
    let script = boot
        .script(Ending::Reboot { wait_ms: 500 })
        .expect("it can be written");
    let seen = start("retry", &script).finish();
    for text in [
        "attempt 1 of 3\n",
        "attempt 2 of 3\n",
        "attempt 3 of 3\n",
        "Look at: the server\n",
    ] {
        assert!(seen.contains(text), "{text:?} in:\n{seen}");
    }
    assert_eq!(seen.matches("Booting the test\n").count(), 3, "{seen}");
    assert_eq!(
        seen.matches("Trying again in 1 seconds").count(),
        2,
        "{seen}"
    );
    assert!(
        seen.contains("Restarting; a key goes on at once."),
        "{seen}"
    );
}

#[test]
#[ignore = "needs qemu-system-x86 and the ipxe package"]
fn a_notice_is_shown_and_the_shell_follows() {
    let script = Notice::new("The image x is not in the store.")
        .line("")
        .line("On the server: netboot image add x")
        .script(Ending::Shell)
        .expect("it can be written");
    let mut machine = start("notice", &script);
    machine.wait_for("The image x is not in the store.\n\nOn the server: netboot image add x\n");
    machine.wait_for("iPXE>");
    machine.press("reboot\r");
    machine.finish();
}

#[test]
#[ignore = "needs qemu-system-x86 and the ipxe package"]
fn every_way_out_of_an_item_leads_back_to_the_menu() {
    let image = LinuxBoot::new("the image", "http://192.0.2.1/bzImage")
        .initrd("initrd", "http://192.0.2.1/initrd")
        .retry(Retry::new(1, 0));
    let below = Menu::new("Below")
        .item(Item::new("say", "Say", Action::Notice(Notice::new("Said below"))).key('y'));
    let menu = Menu::new("Title # one")
        .item(Item::new("the image", "Image", Action::Linux(image)).key('i'))
        .item(
            Item::new(
                "chain",
                "Chain",
                Action::Chain(Chain::new("c", "http://192.0.2.1/c").retry(Retry::new(1, 0))),
            )
            .key('c'),
        )
        .gap("a gap")
        .item(Item::shell("shell", "Shell").key('s'))
        .item(Item::new("disk", "Disk", Action::LocalDisk(LocalDisk::ByPlatform)).key('l'))
        .item(Item::new("below", "Deeper", Action::Menu(below)).key('b'))
        .item(Item::new("off", "Off", Action::Reboot).key('o'))
        .on_cancel(Cancel::Again);
    let mut machine = start("menu", &menu.script().expect("it can be written"));
    machine.wait_for("Title # one");
    // Escape; iPXE waits a moment for more of a sequence.
    machine.press("\u{1b}");
    machine.wait_for("Title # one");
    machine.press("s");
    machine.wait_for("iPXE>");
    machine.press("exit 1\r");
    machine.wait_for("Title # one");
    machine.press("i");
    machine.wait_for("Could not boot the image: attempt 1 of 1");
    machine.wait_for("Press a key to go back to the menu.");
    machine.press("x");
    machine.wait_for("Title # one");
    machine.press("c");
    machine.wait_for("Could not boot c: attempt 1 of 1");
    machine.wait_for("Press a key to go back to the menu.");
    machine.press("x");
    machine.wait_for("Title # one");
    machine.press("l");
    machine.wait_for("Could not boot from the local disk.");
    machine.wait_for("Press a key to go back to the menu.");
    machine.press("x");
    machine.wait_for("Title # one");
    machine.press("b");
    machine.wait_for("Below");
    machine.press("y");
    machine.wait_for("Said below");
    machine.wait_for("Press a key to go back to the menu.");
    machine.press("x");
    machine.wait_for("Below");
    machine.press("\u{1b}");
    machine.wait_for("Title # one");
    machine.press("o");
    let seen = machine.finish();
    assert_eq!(seen.matches("Booting the image").count(), 1, "{seen}");
}

#[test]
#[ignore = "needs qemu-system-x86 and the ipxe package"]
fn a_timeout_chooses_the_default_and_never_comes_again() {
    let say = |text: &str| Action::Notice(Notice::new(text));
    let menu = Menu::new("Timed")
        .item(Item::new("first", "First", say("Said first")))
        .item(Item::new("second", "Second", say("Said second")))
        .item(Item::new("off", "Off", Action::Reboot).key('o'))
        .default_item("second")
        .timeout_ms(1_500);
    let mut machine = start("timeout", &menu.script().expect("it can be written"));
    machine.wait_for("Timed");
    machine.wait_for("Said second");
    machine.press("x");
    machine.wait_for("Timed");
    machine.press("o");
    let seen = machine.finish();
    assert_eq!(seen.matches("Said second").count(), 1, "{seen}");
    assert!(!seen.contains("Said first"), "{seen}");
}

/// The lists of commands and features are what these builds say of themselves.
#[test]
#[ignore = "needs qemu-system-x86 and the ipxe package"]
fn what_the_linter_knows_of_debians_builds_is_what_they_say() {
    let mut script = Script::new();
    script
        .echo("starts")
        .command(Command::from_words(vec!["help".into()]))
        .echo("ends");
    let seen = start("help", off(&mut script)).finish();
    let (build, count) = match () {
        () if seen.contains("iPXE 1.0.0+git-20190125") => (Build::debian_12(), 48),
        () if seen.contains("iPXE 1.21.1+git20250501") => (Build::debian_13(), 62),
        () => panic!("neither Debian 12's build nor Debian 13's:\n{seen}"),
    };
    let help = seen
        .split_once("starts\n")
        .and_then(|(_, rest)| rest.split_once("ends\n"));
    let (help, _) = help.expect("help is shown");
    let (_, commands) = help.split_once("commands:").expect("it has a heading");
    let commands: Vec<&str> = commands
        .lines()
        .skip(1)
        .filter(|l| l.starts_with(' '))
        .flat_map(str::split_whitespace)
        .collect();
    for command in &commands {
        assert!(build.has_command(command), "{command}");
    }
    assert_eq!(commands.len(), count, "{commands:?}");
    let features = seen.lines().find_map(|line| line.strip_prefix("Features:"));
    let features = features.expect("features are shown").to_lowercase();
    for scheme in ["http", "https", "tftp", "ftp", "iscsi", "aoe", "nfs"] {
        let there = features.split_whitespace().any(|feature| feature == scheme);
        assert_eq!(build.has_scheme(scheme), there, "{scheme} in {features}");
    }
    assert_eq!(build.has_dns(), features.contains("dns"), "{features}");
}
