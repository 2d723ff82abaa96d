//! Properties of rendering and parsing, for any text.

use netboot_ipxe::run::{Answer, Effect, MAX_STEPS, Run};
use netboot_ipxe::{Action, Arg, Ending, Item, LinuxBoot, Menu, Notice, Operator, Script};
use proptest::prelude::*;

mod strategy {
    use netboot_ipxe::{
        Arg, ChooseCommand, Command, ImageCommand, ImageVerb, ItemCommand, Line, Operator, Script,
        Setting, SettingType,
    };
    use proptest::{collection::vec, option, prelude::*, sample::select};

    /// Text that is rich in what means something to iPXE.
    pub(crate) fn text() -> impl Strategy<Value = String> {
        let odd = select(vec![
            " ",
            "  ",
            "\t",
            "\n",
            "\r",
            "#",
            "||",
            "&&",
            ";",
            "\\",
            "$",
            "{",
            "}",
            "${",
            ":",
            "-",
            "--",
            "=",
            "\"",
            "\u{a0}",
            "é",
            "\u{1b}[0m",
            "_20",
            "goto",
            "a",
            "b/c",
            "0x80",
        ]);
        vec(
            prop_oneof![4 => odd.prop_map(String::from), 1 => "[ -~]{0,4}"],
            0..6,
        )
        .prop_map(|pieces| pieces.concat())
    }

    pub(crate) fn setting() -> impl Strategy<Value = Setting> {
        let types = vec![SettingType::String, SettingType::HexHyp, SettingType::Int32];
        (
            "[a-z0-9-]{1,6}",
            option::of("net[0-9](\\.dhcp)?"),
            option::of(select(types)),
        )
            .prop_map(|(name, scope, typed)| {
                let mut setting = Setting::new(name);
                if let Some(scope) = scope {
                    setting = setting.scope(scope);
                }
                if let Some(typed) = typed {
                    setting = setting.typed(typed);
                }
                setting
            })
    }

    /// Any argument, which need not be one that can be written.
    pub(crate) fn arg() -> impl Strategy<Value = Arg> {
        let part = prop_oneof![
            3 => text().prop_map(Arg::from),
            1 => setting().prop_map(Arg::from),
            1 => (text(), setting()).prop_map(|(text, setting)| {
                Arg::new().computed(Arg::from(text).setting(setting))
            }),
        ];
        vec(part, 0..3).prop_map(|parts| parts.iter().fold(Arg::new(), |arg, part| arg.join(part)))
    }

    pub(crate) fn command() -> impl Strategy<Value = Command> {
        let image = (
            select(ImageVerb::ALL.to_vec()),
            option::of(arg()),
            option::of(arg()),
            any::<[bool; 3]>(),
            option::of(arg()),
            arg(),
        )
            .prop_map(
                |(verb, name, timeout_ms, [quiet, autofree, replace], image, args)| {
                    let mut command = ImageCommand::new(verb, image);
                    (command.name, command.timeout_ms) = (name, timeout_ms);
                    (command.quiet, command.autofree) = (quiet, autofree);
                    (command.replace, command.args) = (replace, args);
                    Command::Image(command)
                },
            );
        let item = (
            option::of(arg()),
            any::<[bool; 2]>(),
            option::of(arg()),
            option::of(arg()),
            arg(),
        )
            .prop_map(|(key, [default, gap], menu, name, text)| {
                let mut item = ItemCommand::gap(text);
                (item.menu, item.key, item.name) = (menu, key, name);
                (item.default, item.gap) = (default, gap);
                Command::Item(item)
            });
        let choose = (option::of(arg()), option::of(arg()), any::<bool>(), arg()).prop_map(
            |(default, timeout_ms, keep, setting)| {
                let mut choose = ChooseCommand::new(setting);
                (choose.default, choose.timeout_ms) = (default, timeout_ms);
                choose.keep = keep;
                Command::Choose(choose)
            },
        );
        prop_oneof![
            Just(Command::Nothing),
            Just(Command::Shell),
            arg().prop_map(Command::Goto),
            option::of(arg()).prop_map(Command::Exit),
            arg().prop_map(Command::Isset),
            (arg(), arg()).prop_map(|(a, b)| Command::Iseq(a, b)),
            arg().prop_map(Command::Sleep),
            (option::of(arg()), option::of(arg()), arg()).prop_map(|(key, timeout_ms, text)| {
                Command::Prompt {
                    key,
                    timeout_ms,
                    text,
                }
            }),
            (any::<bool>(), arg()).prop_map(|(same_line, text)| Command::Echo { same_line, text }),
            (arg(), arg()).prop_map(|(setting, value)| Command::Set { setting, value }),
            (arg(), option::of(arg())).prop_map(|(setting, by)| Command::Inc { setting, by }),
            arg().prop_map(Command::Clear),
            arg().prop_map(Command::Read),
            vec(arg(), 0..3).prop_map(Command::Imgfree),
            vec(arg(), 0..3).prop_map(Command::Dhcp),
            (option::of(arg()), any::<bool>(), arg(), arg()).prop_map(
                |(signer, keep, image, signature)| Command::Imgverify {
                    signer,
                    keep,
                    image,
                    signature
                }
            ),
            (option::of(arg()), any::<bool>(), arg()).prop_map(|(name, delete, title)| {
                Command::Menu {
                    name,
                    delete,
                    title,
                }
            }),
            (option::of(arg()), any::<[bool; 2]>(), vec(arg(), 0..3)).prop_map(
                |(drive, [no_describe, keep], uris)| Command::Sanboot {
                    drive,
                    no_describe,
                    keep,
                    uris
                }
            ),
            any::<bool>().prop_map(|warm| Command::Reboot { warm }),
            vec(arg(), 0..4).prop_map(Command::from_words),
            image,
            item,
            choose,
        ]
    }

    pub(crate) fn line() -> impl Strategy<Value = Line> {
        let operator = select(vec![Operator::Or, Operator::And, Operator::Always]);
        (
            option::of(text()),
            command(),
            vec((operator, command()), 0..3),
            option::of(text()),
        )
            .prop_map(|(label, first, then, comment)| {
                let mut line = Line::new(first);
                (line.label, line.then, line.comment) = (label, then, comment);
                line
            })
    }

    /// A script of all lines that can be written at all.
    pub(crate) fn script() -> impl Strategy<Value = Script> {
        vec(line(), 0..8).prop_map(|lines| {
            let mut script = Script::new();
            for line in lines {
                let mut alone = Script::new();
                if alone.line(line.clone()).render().is_ok() {
                    script.line(line);
                }
            }
            script
        })
    }
}

/// The words of a line and its commands, by iPXE's rules in their plainest form.
fn commands(line: &str) -> Vec<Vec<&str>> {
    let mut commands = vec![Vec::new()];
    for word in line
        .split([' ', '\t', '\n', '\u{b}', '\u{c}', '\r'])
        .filter(|word| !word.is_empty())
    {
        match word {
            word if word.starts_with('#') => break,
            "||" | "&&" | ";" => commands.push(Vec::new()),
            word => commands.last_mut().expect("never empty").push(word),
        }
    }
    commands
}

/// The names that iPXE expands in a word: from the last `${` before the first `}` after one, until
/// there is none, each value taken to be harmless.
fn expansions(word: &str) -> Vec<String> {
    let mut word = word.to_owned();
    let mut names = Vec::new();
    while let Some(first) = word.find("${") {
        let Some(end) = word[first..].find('}').map(|end| first + end) else {
            break;
        };
        let start = word[..end].rfind("${").expect("one was found");
        names.push(word[start + 2..end].to_owned());
        word.replace_range(start..=end, "?");
    }
    names
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_rendered_reads_back_as_it_was(script in strategy::script()) {
        let text = script.render().expect("each line can be written");
        prop_assert_eq!(Script::parse(&text), Ok(script), "{}", text);
    }

    #[test]
    fn a_line_is_one_line_with_as_many_commands_as_were_built(line in strategy::line()) {
        let mut script = Script::new();
        script.line(line.clone());
        let Ok(text) = script.render() else { return Ok(()) };
        let lines: Vec<&str> = text.lines().skip(1).collect();
        let (last, escapes) = lines.split_last().expect("the line itself");
        for escape in escapes {
            prop_assert!(escape.starts_with("set _"), "{}", text);
        }
        prop_assert_eq!(last.starts_with(':'), line.label.is_some());
        let without_label = match &line.label {
            Some(label) => &last[1 + label.len()..],
            None => last,
        };
        let seen = commands(without_label);
        prop_assert_eq!(seen.len(), 1 + line.then.len(), "{}", text);
        prop_assert!(!last.ends_with('\\'), "{}", text);
    }

    #[test]
    fn text_is_written_without_an_expansion_of_its_own(text in strategy::text()) {
        let mut script = Script::new();
        script.echo(text.as_str());
        let Ok(rendered) = script.render() else { return Ok(()) };
        let line = rendered.lines().last().expect("the line itself");
        for word in &commands(line)[0] {
            for name in expansions(word) {
                prop_assert!(name.starts_with('_') && name.ends_with(":string"), "{}", rendered);
                prop_assert_eq!(name.len(), "_20:string".len(), "{}", rendered);
            }
        }
    }

    #[test]
    fn entries_hold_as_many_lines_whatever_the_texts_are(
        what in strategy::text(), name in strategy::text(), arg in strategy::text(), url in strategy::text(),
    ) {
        let boot = |what: &str, url: &str, arg: &str| {
            let entry = LinuxBoot::new(what, url).initrd("initrd", url).arg(arg);
            let notice = Notice::new(what);
            Menu::new(what)
                .gap(what)
                .item(Item::new("plain", what, Action::Linux(entry)))
                .item(Item::new(name.as_str(), what, Action::Notice(notice)))
                .script()
        };
        let plain = boot("what", "http://10.0.0.1/k", "quiet").and_then(|script| script.render());
        let odd = boot(&what, &url, &arg).and_then(|script| script.render());
        let (Ok(plain), Ok(odd)) = (plain, odd) else { return Ok(()) };
        let count = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with("set _"));
            lines.map(|line| commands(line).len()).collect::<Vec<_>>()
        };
        prop_assert_eq!(count(&plain), count(&odd), "{}", odd);
    }

    #[test]
    fn any_text_parses_or_has_an_error_with_a_place_in_it(body in strategy::text(), rest in strategy::text()) {
        let text = format!("#!ipxe\n{body}\n{rest}");
        match Script::parse(&text) {
            Ok(script) => {
                // What can be written again means the same.
                if let Ok(rendered) = script.render() {
                    prop_assert_eq!(Script::parse(&rendered), Ok(script), "{}", rendered);
                }
            }
            Err(error) => {
                prop_assert!(error.offset() <= text.len());
                prop_assert!(error.line() >= 1 && error.column() >= 1);
            }
        }
    }

    #[test]
    fn the_interpreter_stops(script in strategy::script(), answers in proptest::collection::vec(0..3_u8, 8)) {
        let text = script.render().expect("each line can be written");
        let mut run = Run::new(&text).expect("it was rendered");
        let mut calls = 0;
        let mut answer = Answer::Done;
        while !matches!(run.next(answer), Effect::End(_)) {
            calls += 1;
            prop_assert!(calls <= MAX_STEPS, "{}", text);
            answer = match answers[usize::try_from(calls % 8).expect("small")] {
                0 => Answer::Done,
                1 => Answer::Failed,
                _ => Answer::Text("a".to_owned()),
            };
        }
    }

    #[test]
    fn a_single_entry_never_holds_more_lines_than_its_texts_ask_for(what in strategy::text()) {
        let Ok(script) = Notice::new(what.as_str()).script(Ending::Shell) else { return Ok(()) };
        let text = script.render().expect("its texts were checked");
        let own = text.lines().filter(|line| !line.starts_with("set _"));
        prop_assert_eq!(own.count(), script.lines().len() + 1);
    }
}

#[test]
fn operators_stand_between_commands() {
    let mut script = Script::new();
    script
        .echo(Arg::from("||"))
        .then(Operator::Always, netboot_ipxe::Command::Nothing);
    assert_eq!(
        script.render().as_deref(),
        Ok("#!ipxe\nset _7c:hex 7c\necho ${_7c:string}| ;\n")
    );
}
