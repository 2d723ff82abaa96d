//! Commands by name: what is written, what is read, and what is refused.

use netboot_ipxe::lint::{Build, Platform, Severity, lint};
use netboot_ipxe::{
    Arg, Command, ItemCommand, RenderError, RenderProblem, Script, Setting, SettingType,
};

fn written(command: Result<Command, RenderError>) -> String {
    let mut script = Script::new();
    script.command(command.expect("it is a command"));
    let text = script.render().expect("it can be written");
    assert_eq!(Script::parse(&text), Ok(script), "{text}");
    text.trim_start_matches("#!ipxe\n").trim_end().into()
}

/// One of each family that has no variant, as iPXE's usage texts give them.
#[test]
fn what_has_no_variant_is_written_by_name() {
    let named = Command::named;
    let mac = Setting::new("mac").typed(SettingType::HexHyp);
    let cases = [
        (named("time").word("dhcp"), "time dhcp"),
        (
            named("show").flag("quiet").word("net0/ip"),
            "show --quiet net0/ip",
        ),
        (named("config").word("net0"), "config net0"),
        (named("login"), "login"),
        (
            named("imgextract").option("name", "i").word("i.gz"),
            "imgextract --name=i i.gz",
        ),
        (named("imgtrust").flag("permanent"), "imgtrust --permanent"),
        (
            named("sha256sum").option("set", "sum").word("bzImage"),
            "sha256sum --set=sum bzImage",
        ),
        (named("form").word("Sign").word("in"), "form Sign in"),
        (named("present").option("form", "f"), "present --form=f"),
        (
            named("params").option("name", "p").option("method", "POST"),
            "params --name=p --method=POST",
        ),
        (
            named("param").flag("header").word("X-Mac").word(mac),
            "param --header X-Mac ${mac:hexhyp}",
        ),
        (named("ifopen").word("net0"), "ifopen net0"),
        (
            named("ifconf").option("configurator", "dhcp").word("net0"),
            "ifconf --configurator=dhcp net0",
        ),
        (
            named("iflinkwait").option("timeout", "5000"),
            "iflinkwait --timeout=5000",
        ),
        (
            named("vcreate")
                .option("tag", "5")
                .option("priority", "1")
                .word("net0"),
            "vcreate --tag=5 --priority=1 net0",
        ),
        (named("vdestroy").word("net0-5"), "vdestroy net0-5"),
        (
            named("ping").option("count", "1").word("10.0.0.1"),
            "ping --count=1 10.0.0.1",
        ),
        (
            named("sanhook")
                .option("drive", "0x80")
                .word("iscsi:10.0.0.1::::iqn"),
            "sanhook --drive=0x80 iscsi:10.0.0.1::::iqn",
        ),
        (
            named("sanunhook").option("drive", "0x80"),
            "sanunhook --drive=0x80",
        ),
        (named("console").option("x", "1024"), "console --x=1024"),
        (named("poweroff"), "poweroff"),
    ];
    for (command, line) in cases {
        assert_eq!(written(command.build()), line);
    }
}

#[test]
fn what_looks_like_an_option_or_more_words_stays_one_word() {
    let odd = Command::named("param").word("-key").word("a b");
    assert!(written(odd.build()).ends_with("param -- -key a${_20:string}b"));
    let setting = Arg::from(Setting::new("key"));
    assert_eq!(
        written(Command::named("param").word(setting).build()),
        "param -- ${key}"
    );
    let value = Command::named("params").option("name", "-n").build();
    assert_eq!(written(value), "params --name=-n");
}

#[test]
fn a_variant_that_can_hold_it_is_what_is_built() {
    assert_eq!(Command::named("shell").build(), Ok(Command::Shell));
    assert_eq!(
        Command::named("reboot").flag("warm").build(),
        Ok(Command::Reboot { warm: true })
    );
}

fn rendered(command: Command) -> Result<String, RenderProblem> {
    let mut script = Script::new();
    script.command(command);
    let text = script.render().map_err(|error| error.problem().clone())?;
    Ok(text.trim_start_matches("#!ipxe\n").trim_end().to_owned())
}

/// As `item_exec` of iPXE's `dynui_cmd.c` takes them.
#[test]
fn an_item_has_a_name_or_is_a_gap_or_is_nothing() {
    let item = |item| rendered(Command::Item(item));
    assert_eq!(item(ItemCommand::default()).as_deref(), Ok("item"));
    let gap = ItemCommand::gap("Systems");
    assert_eq!(item(gap.clone()).as_deref(), Ok("item --gap Systems"));
    let mut named = gap;
    named.name = Some("nixos".into());
    assert_eq!(item(named), Err(RenderProblem::Unknown));
    let mut nameless = ItemCommand::new("nixos", "NixOS");
    nameless.name = None;
    assert_eq!(item(nameless), Err(RenderProblem::Empty));
}

/// iPXE splits at blanks, joins what it echoes with single ones, and takes the rest of a line behind
/// a word that begins with `#` for a comment.
#[test]
fn what_would_be_lost_where_it_stands_is_written_by_settings() {
    let echo = Command::Echo {
        same_line: false,
        text: " a ".into(),
    };
    let written = "set _20:hex 20\necho ${_20:string}a${_20:string}";
    assert_eq!(rendered(echo).as_deref(), Ok(written));
    let isset = |value: &str| rendered(Command::Isset(value.into()));
    for (value, word) in [
        ("# ", "${_23:string}${_20:string}"),
        ("# a", "${_23:string}${_20:string}a"),
    ] {
        let written = format!("set _20:hex 20\nset _23:hex 23\nisset {word}");
        assert_eq!(isset(value), Ok(written), "{value:?}");
    }
    assert_eq!(
        isset(" ").as_deref(),
        Ok("set _20:hex 20\nisset ${_20:string}")
    );
    // Only what a line begins with is a label.
    assert_eq!(isset(":a").as_deref(), Ok("isset :a"));
    let command = Command::from_words([":a", "b"].map(Arg::from).to_vec());
    let written = "set _3a:hex 3a\n${_3a:string}a b";
    assert_eq!(rendered(command).as_deref(), Ok(written));
}

/// A value may hold the `}` that the text waits for.
#[test]
fn text_that_a_value_could_make_a_setting_is_refused() {
    let value = Arg::from("${").setting(Setting::new("hostname"));
    let isset = rendered(Command::Isset(value));
    assert_eq!(isset, Err(RenderProblem::Expansion));
}

#[test]
fn settings_that_hold_characters_for_scripts_are_not_set() {
    let set = |setting: &str| {
        let (setting, value) = (Arg::from(setting), Arg::from("x"));
        rendered(Command::Set { setting, value })
    };
    // A blank, also with its type, and a tabulator.
    for held in ["_20", "_20:hex", "_09"] {
        assert_eq!(set(held), Err(RenderProblem::Reserved), "{held}");
    }
    for free in ["_009", "_9", "_41", "20", "_2A"] {
        assert_eq!(set(free), Ok(format!("set {free} x")));
    }
}

#[test]
fn what_ipxe_does_not_take_is_refused_by_its_place() {
    let cases = [
        (Command::named("vcreat"), "`vcreat`", RenderProblem::Unknown),
        (
            Command::named("params").flag("delte"),
            "`params`, option --delte",
            RenderProblem::Unknown,
        ),
        (
            Command::named("params").flag("name"),
            "`params`, option --name",
            RenderProblem::Empty,
        ),
        (
            Command::named("params").option("delete", "1"),
            "`params`, option --delete",
            RenderProblem::Unknown,
        ),
        (
            Command::named("vcreate"),
            "`vcreate`, argument 1",
            RenderProblem::Empty,
        ),
        (
            Command::named("vdestroy").word("a").word("b"),
            "`vdestroy`",
            RenderProblem::TooManyWords { count: 2, max: 1 },
        ),
    ];
    for (command, place, problem) in cases {
        let error = command.build().expect_err(place);
        assert_eq!((error.place(), error.problem()), (place, &problem));
    }
}

#[test]
fn options_are_read_in_each_form_that_ipxe_takes() {
    for line in [
        "vcreate --tag 5 --priority 1 net0",
        "vcreate --tag=5 -p1 -- net0",
        "vcreate -t 4 -t5 -p 1 net0",
    ] {
        let script = Script::parse(&format!("#!ipxe\n{line}\n")).expect(line);
        let Command::Other(vlan) = &script.lines()[0].first else {
            panic!("{line}");
        };
        assert_eq!(vlan.option("tag"), Some("5".into()), "{line}");
        assert!(vlan.has_option("priority") && !vlan.has_option("quiet"));
        assert_eq!(vlan.operands(), Some(&[Arg::from("net0")][..]), "{line}");
    }
    let Command::Other(wrong) = Command::from_words(vec!["vcreate".into(), "-z".into()]) else {
        panic!("it has no variant");
    };
    assert_eq!((wrong.operands(), wrong.option("tag")), (None, None));
}

/// Each command with all of its options, long ones and then short ones, by hand from iPXE's sources
/// (`src/hci/commands`); and what stands behind the options.
const USAGE: &[(&str, &str, &str, &str)] = &[
    ("prompt", "--key a --timeout 1", "-k a -t 1", "text"),
    ("echo", "", "-n", "text"),
    ("read", "--timeout 1", "-t 1", "s"),
    ("show", "--quiet", "-q", "s"),
    (
        "imgfetch module initrd kernel imgselect imgload imgargs",
        FETCH_LONG,
        FETCH_SHORT,
        "u a",
    ),
    ("imgexec chain boot", EXEC_LONG, EXEC_SHORT, "u a"),
    (
        "imgextract",
        "--name n --keep --timeout 1 --quiet",
        "-n n -k -t 1 -q",
        "u",
    ),
    (
        "imgdecrypt",
        "--name n --keep --timeout 1 --quiet",
        "-n n -k -t 1 -q",
        "i e",
    ),
    ("imgset", "--keep --timeout 1 --quiet", "-k -t 1 -q", "s u"),
    (
        "imgverify",
        "--signer s --keep --timeout 1 --quiet",
        "-s s -k -t 1 -q",
        "i g",
    ),
    ("imgtrust", "--allow --permanent", "-a -p", ""),
    ("imgmem", "--name n", "-n n", "0 1"),
    (
        "md4sum md5sum sha1sum sha224sum sha256sum sha384sum sha512sum",
        "--set s",
        "-s s",
        "i j",
    ),
    ("menu form", "--name n --delete", "-n n -d", "title"),
    (
        "item",
        "--menu m --key a --default --gap",
        "-m m -k a -d -g",
        "name text",
    ),
    ("item", "--form f --secret", "-f f -s", "name text"),
    (
        "choose",
        "--menu m --default d --timeout 1 --retimeout 1 --keep",
        "-m m -d d -t 1 -r 1 -k",
        "s",
    ),
    ("present", "--form f --keep", "-f f -k", ""),
    (
        "params",
        "--name n --method POST --delete",
        "-n n -m POST -d",
        "",
    ),
    ("param", "--params p --header", "-p p -H", "key value"),
    (
        "ifconf dhcp",
        "--configurator c --timeout 1",
        "-c c -t 1",
        "net0 net1",
    ),
    ("iflinkwait", "--timeout 1", "-t 1", "net0"),
    ("vcreate", "--tag 1 --priority 1", "-t 1 -p 1", "net0"),
    (
        "ping",
        "--size 1 --timeout 1 --count 1 --quiet",
        "-s 1 -t 1 -c 1 -q",
        "h",
    ),
    (
        "sanboot",
        "--drive 1 --no-describe --keep --filename f --extra e --label l --uuid u",
        "-d 1 -n -k -f f -e e -l l -u u",
        "p q",
    ),
    ("sanhook", "--drive 1 --no-describe", "-d 1 -n", "p q"),
    ("sanunhook", "--drive 1", "-d 1", ""),
    (
        "console",
        "--x 1 --y 1 --left 1 --right 1 --top 1 --bottom 1 --depth 1 --picture p --keep",
        "-x 1 -y 1 -l 1 -r 1 -t 1 -b 1 -d 1 -p p -k",
        "",
    ),
    ("colour", "--basic 1 --rgb 1", "-b 1 -r 1", "1"),
    ("cpair", "--foreground 1 --background 1", "-f 1 -b 1", "1"),
    ("reboot", "--warm --setup", "-w -s", ""),
    (
        "shim",
        "--timeout 1 --quiet --require-loader --allow-pxe --allow-sbat",
        "-t 1 -q -l -p -s",
        "i",
    ),
    ("cpuid", "--ext --ecx", "-e -c", "1"),
    ("fdt", "--timeout 1 --quiet", "-t 1 -q", "u"),
    ("sync", "--timeout 1", "-t 1", ""),
    (
        "isset inc clear goto sleep vdestroy ntp pciscan usbscan",
        "",
        "",
        "x",
    ),
    ("iseq nslookup pxebs", "", "", "a b"),
    (
        "set time imgstat imgfree ifopen ifclose ifstat autoboot iwstat iwlist",
        "",
        "",
        "a b",
    ),
    (
        "shell help login route nstat ipstat certstat certfree poweroff stoppxe profstat",
        "",
        "",
        "",
    ),
    ("exit config certstore startpxe", "", "", "1"),
];
const FETCH_LONG: &str = "--name n --timeout 1 --quiet --autofree";
const FETCH_SHORT: &str = "-n n -t 1 -q -a";
const EXEC_LONG: &str = "--name n --timeout 1 --quiet --autofree --replace";
const EXEC_SHORT: &str = "-n n -t 1 -q -a -r";

#[test]
fn each_command_takes_its_options_in_both_forms_and_no_other() {
    for (commands, long, short, words) in USAGE {
        for command in commands.split(' ') {
            for options in [long, short] {
                let line = format!("{command} {options} {words}");
                assert_eq!(misused(&line), [""; 0], "{line}");
            }
            let line = format!("{command} --nonesuch {words}");
            assert_eq!(misused(&line), ["unknown-option"], "{line}");
        }
    }
}

/// What iPXE takes of a line, behind the name of its command.
#[test]
fn more_than_255_arguments_are_refused() {
    let with = |count| {
        let words = std::iter::once("vendor-command").chain(std::iter::repeat_n("x", count));
        let mut script = Script::new();
        script.command(Command::from_words(words.map(Arg::from).collect()));
        script.render()
    };
    assert!(with(255).is_ok());
    let error = with(256).expect_err("one too many");
    let problem = RenderProblem::TooManyWords {
        count: 256,
        max: 255,
    };
    assert_eq!(error.problem(), &problem);
    // The words of a text count, too, although it is one argument here.
    let text = |count| {
        let mut script = Script::new();
        script.echo(vec!["x"; count].join(" "));
        script.render().map_err(|error| error.problem().clone())
    };
    assert!(text(255).is_ok());
    assert_eq!(text(256), Err(problem));
}

/// What the linter says of a line's words.
fn misused(line: &str) -> Vec<&'static str> {
    let source = format!("#!ipxe\n:x {line}\n");
    let found = lint(&source, &Build::everything(), Platform::Any);
    let errors = found.iter().filter(|it| it.severity == Severity::Error);
    errors.map(super::code).collect()
}
