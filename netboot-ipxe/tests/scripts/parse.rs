//! Scripts as people write them, and the model by hand.

use netboot_ipxe::{
    Arg, ChooseCommand, Command, ImageCommand, ImageVerb, ItemCommand, Line, Operator,
    ParseProblem, RenderProblem, Script, Setting, SettingType,
};

fn only_line(line: &str) -> Line {
    let script = Script::parse(&format!("#!ipxe\n{line}\n")).expect("it is a script");
    assert_eq!(script.lines().len(), 1, "{line}");
    script.lines()[0].clone()
}

fn first(line: &str) -> Command {
    only_line(line).first
}

fn ip() -> Setting {
    Setting::new("ip")
}

#[test]
fn a_line_is_a_label_commands_and_a_comment() {
    let line = only_line("  :retry  dhcp net0 &&  goto ok|| ; # why not");
    assert_eq!(line.label.as_deref(), Some("retry"));
    assert_eq!(line.first, Command::Dhcp(vec!["net0".into()]));
    assert_eq!(
        line.then,
        [
            (Operator::And, Command::Goto("ok||".into())),
            (Operator::Always, Command::Nothing)
        ]
    );
    assert_eq!(line.comment.as_deref(), Some(" why not"));
}

#[test]
fn options_are_read_in_each_form_that_ipxe_takes() {
    let mut kernel = ImageCommand::new(ImageVerb::Kernel, Some("http://x/y".into()));
    kernel.name = Some("k".into());
    kernel.timeout_ms = Some("5000".into());
    kernel.autofree = true;
    kernel.args = "a --name b".into();
    let kernel = Command::Image(kernel);
    for line in [
        "kernel --name k --timeout 5000 --autofree http://x/y a --name b",
        "kernel --name=k --timeout=5000 --autofree http://x/y a   --name b",
        "kernel -n k -t 5000 -a http://x/y a --name b",
        "kernel -nk -at5000 http://x/y a --name b",
        "kernel -a -n no --name k -t5000 -- http://x/y a --name b",
    ] {
        assert_eq!(first(line), kernel, "{line}");
    }
}

#[test]
fn what_ipxe_would_refuse_is_kept_word_by_word() {
    for line in [
        "kernel --nmae k http://x/y",
        "kernel --name",
        "kernel --name --autofree x",
        "kernel --autofree=1 x",
        "kernel -",
        "kernel",
        "goto a b",
        "echo -n -x text",
        "iseq a",
        "ehco text",
        "choose --retimeout 5 x",
        "${command} x",
        "shell ${args}",
    ] {
        let Command::Other(other) = first(line) else {
            panic!("{line}")
        };
        let words: Vec<String> = other.words().iter().map(ToString::to_string).collect();
        assert_eq!(words.join(" "), line);
    }
}

/// With `-n` in `x`, `echo -- ${x}` shows it, and `echo ${x}` shows nothing.
#[test]
fn what_keeps_a_value_from_being_an_option_stays() {
    for line in [
        "echo -- ${x} text",
        "item --gap -- ${${x}}",
        "initrd --name=${x} http://x/y",
        "initrd -n${x} http://x/y",
    ] {
        let source = format!("#!ipxe\n{line}\n");
        let script = Script::parse(&source).expect(line);
        assert_eq!(script.render(), Ok(source));
    }
    for (line, shorter) in [
        ("echo -- text ${x}", "echo text ${x}"),
        (
            "initrd --name=y${x} http://x/y",
            "initrd --name y${x} http://x/y",
        ),
        ("initrd -n ${x} http://x/y", "initrd --name ${x} http://x/y"),
    ] {
        let script = Script::parse(&format!("#!ipxe\n{line}\n")).expect(line);
        assert_eq!(script.render(), Ok(format!("#!ipxe\n{shorter}\n")));
    }
}

#[test]
fn menus_are_read() {
    assert_eq!(
        first("item --gap -- ---- Systems ----"),
        Command::Item(ItemCommand::gap("---- Systems ----"))
    );
    let text = Arg::from("NixOS ").setting(ip()).text(" unstable");
    let mut item = ItemCommand::new("nixos", text);
    item.key = Some("0x197e".into());
    item.default = true;
    assert_eq!(
        first("item --key 0x197e --default nixos NixOS ${ip}  unstable"),
        Command::Item(item)
    );
    assert_eq!(first("item"), Command::Item(ItemCommand::default()));
    let mut choose = ChooseCommand::new("selected");
    choose.default = Some(Setting::new("menu-default").into());
    choose.timeout_ms = Some(Setting::new("menu-timeout").into());
    assert_eq!(
        first("choose --default ${menu-default} --timeout ${menu-timeout} selected"),
        Command::Choose(choose)
    );
}

#[test]
fn settings_are_read_innermost_first() {
    let echo = |text: Arg| Command::Echo {
        same_line: false,
        text,
    };
    let mac = Setting::new("mac").scope("net0").typed(SettingType::HexHyp);
    assert_eq!(
        first("echo 01-${net0/mac:hexhyp}"),
        echo(Arg::from("01-").setting(mac))
    );
    assert_eq!(
        first("echo ${${which}/ip}!"),
        echo(
            Arg::new()
                .computed(Arg::new().setting(Setting::new("which")).text("/ip"))
                .text("!")
        )
    );
    // What has no partner is text.
    assert_eq!(first("echo a}b ${c"), echo("a}b ${c".into()));
    assert_eq!(
        first("echo $${ip} $"),
        echo(Arg::from("$").setting(ip()).text(" $"))
    );
    assert_eq!(first("echo ${a b}"), echo("${a b}".into()));
}

#[test]
fn characters_kept_in_settings_are_read_back_only_where_they_are_set() {
    let set = "#!ipxe\nset _20:hex 20\necho a ${_20:string}b\n";
    let script = Script::parse(set).expect("it is a script");
    assert_eq!(script.lines().len(), 1);
    assert_eq!(
        script.lines()[0].first,
        Command::Echo {
            same_line: false,
            text: "a  b".into()
        }
    );
    assert_eq!(script.render().as_deref(), Ok(set));

    let unset = Setting::new("_20").typed(SettingType::String);
    assert_eq!(
        first("echo ${_20:string}"),
        Command::Echo {
            same_line: false,
            text: unset.into()
        }
    );
}

#[test]
fn lines_join_and_return_characters_go() {
    let script =
        Script::parse("#!gpxe\r\nkernel x \\\r\n  a=b \\\n  c\r\n").expect("it is a script");
    assert_eq!(script.render().as_deref(), Ok("#!ipxe\nkernel x a=b c\n"));
}

#[test]
fn what_was_never_closed_is_text_however_deep_it_seems() {
    let open = "${".repeat(40);
    let Command::Isset(value) = first(&format!("isset {open}a}}{open}")) else {
        panic!("it is `isset`");
    };
    let before = "${".repeat(39);
    let expected = Arg::from(before).setting(Setting::new("a")).text(&open);
    assert_eq!(value, expected);
    assert_eq!(
        Script::parse(&format!(
            "#!ipxe\nisset {}{}\n",
            "${".repeat(17),
            "}".repeat(17)
        ))
        .map_err(|error| error.problem()),
        Err(ParseProblem::TooDeep)
    );
}

#[test]
fn no_more_settings_are_nested_than_can_be_read_back() {
    let nested = |levels, text| {
        let inner = Arg::from(Setting::new("a"));
        (1..levels).fold(inner, |name, _| {
            Arg::from("b").computed(Arg::from(text).join(&name))
        })
    };
    let side_by_side = (0..17).fold(Arg::new(), |all, _| all.join(&nested(2, "c")));
    for (value, problem) in [
        (nested(16, "c"), None),
        (nested(17, "c"), Some(RenderProblem::TooDeep)),
        (nested(17, ""), Some(RenderProblem::TooDeep)),
        (side_by_side, None),
    ] {
        let mut script = Script::new();
        script.echo(value);
        match script.render() {
            Ok(text) => assert_eq!((Script::parse(&text), problem), (Ok(script), None)),
            Err(error) => assert_eq!(Some(error.problem()), problem.as_ref()),
        }
    }
}

#[test]
fn what_is_no_script_is_an_error_with_its_place() {
    let error = |source: &str| {
        let error = Script::parse(source).expect_err("it is no script");
        (
            error.problem(),
            error.line(),
            error.column(),
            error.offset(),
        )
    };
    assert_eq!(error("echo x\n"), (ParseProblem::NoMagic, 1, 1, 0));
    assert_eq!(error("\u{feff}#!ipxe\n"), (ParseProblem::NoMagic, 1, 1, 0));
    assert_eq!(error("#!ipxe\nécho \0\n"), (ParseProblem::Nul, 2, 6, 13));
    assert_eq!(
        error("#!ipxe\necho \\"),
        (ParseProblem::Unfinished, 2, 6, 12)
    );
    let deep = format!(
        "#!ipxe\necho a \\\n  {}{}\n",
        "${".repeat(17),
        "}".repeat(17)
    );
    assert_eq!(error(&deep), (ParseProblem::TooDeep, 3, 3, 18));
}
