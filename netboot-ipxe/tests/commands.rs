//! Commands by name: what is written, what is read, and what is refused.

use netboot_ipxe::{Arg, Command, Problem, RenderError, Script, Setting, SettingType};

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

#[test]
fn what_ipxe_does_not_take_is_refused_by_its_place() {
    let cases = [
        (Command::named("vcreat"), "`vcreat`", Problem::Unknown),
        (
            Command::named("params").flag("delte"),
            "`params`, option --delte",
            Problem::Unknown,
        ),
        (
            Command::named("params").flag("name"),
            "`params`, option --name",
            Problem::Empty,
        ),
        (
            Command::named("params").option("delete", "1"),
            "`params`, option --delete",
            Problem::Unknown,
        ),
        (
            Command::named("vcreate"),
            "`vcreate`, argument 1",
            Problem::Empty,
        ),
        (
            Command::named("vdestroy").word("a").word("b"),
            "`vdestroy`",
            Problem::TooManyWords { count: 2, max: 1 },
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
