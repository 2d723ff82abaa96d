//! What the interpreter asks for, script by script.

use netboot_ipxe::{
    Action, Chain, Ending, Item, LinuxBoot, LocalDisk, Menu, Retry,
    run::{Answer, Effect, End, FormField, Run},
};

fn run(body: &str) -> Run {
    Run::new(&format!("#!ipxe\n{body}\n")).expect("it is a script")
}

/// The texts shown, as long as nothing else is asked for, and what is.
fn until(run: &mut Run, first: Answer) -> (Vec<String>, Effect) {
    let mut shown = Vec::new();
    let mut answer = first;
    loop {
        match run.next(answer) {
            Effect::Echo { text, .. } => shown.push(text),
            other => return (shown, other),
        }
        answer = Answer::Done;
    }
}

fn shown(body: &str) -> Vec<String> {
    let (shown, end) = until(&mut run(body), Answer::Done);
    assert_eq!(end, Effect::End(End::Exit { status: 0 }), "{body}");
    shown
}

#[test]
fn guards_look_at_the_last_command_that_ran() {
    assert_eq!(shown("iseq a b || echo 1 && echo 2"), ["1", "2"]);
    assert_eq!(shown("iseq a a || echo 1 && echo 2"), ["2"]);
    assert_eq!(shown("iseq a b && echo 1 ; echo 2"), ["2"]);
    assert_eq!(shown("|| echo 1 ; && echo 2"), ["2"]);
}

#[test]
fn an_uncaught_failure_ends_the_script_with_its_place() {
    let (_, end) = until(&mut run("echo 1 && \\\n iseq a b\necho 2"), Answer::Done);
    assert_eq!(
        end,
        Effect::End(End::Failed {
            line: 2,
            command: "iseq a b".into()
        })
    );
}

#[test]
fn expansion_goes_on_inside_what_was_expanded() {
    assert_eq!(
        shown("set a b\nset b c\necho ${${a}} [${none}] ${x"),
        ["c [] ${x"]
    );
    assert_eq!(shown("set d:hex 24\nset a b\necho ${d:string}{a}"), ["b"]);
}

#[test]
fn what_has_no_end_is_stopped() {
    for body in [
        ":a\ngoto a",
        // It holds `x${a:string}`.
        "set a:hex 78:24:7b:61:3a:73:74:72:69:6e:67:7d\necho ${a:string}",
        ":a inc n\ngoto a",
    ] {
        let (_, end) = until(&mut run(body), Answer::Done);
        assert_eq!(end, Effect::End(End::Unbounded), "{body}");
    }
}

#[test]
fn a_kernel_boots_with_its_arguments_and_the_initrds_fetched() {
    let entry = LinuxBoot::new("x", "http://10.0.0.1/bzImage")
        .initrd("initrd", "http://10.0.0.1/i?x=1")
        .arg("a=one  two");
    let text = entry
        .script(Ending::Shell)
        .and_then(|script| script.render())
        .expect("written");
    let mut run = Run::new(&text).expect("it is a script");
    let (_, fetch) = until(&mut run, Answer::Done);
    assert_eq!(
        fetch,
        Effect::Fetch {
            name: "bzImage".into(),
            uri: "http://10.0.0.1/bzImage".into()
        }
    );
    let (_, fetch) = until(&mut run, Answer::Done);
    assert_eq!(
        fetch,
        Effect::Fetch {
            name: "initrd".into(),
            uri: "http://10.0.0.1/i?x=1".into()
        }
    );
    let (_, boot) = until(&mut run, Answer::Done);
    let Effect::Boot {
        kernel,
        initrds,
        replace: false,
    } = boot
    else {
        panic!("{boot:?}")
    };
    assert_eq!(kernel.args, "initrd=initrd a=\"one  two\"");
    assert_eq!(initrds.len(), 1);
    assert_eq!(initrds[0].name, "initrd");
}

#[test]
fn a_failing_entry_is_tried_three_times_and_ends_in_the_shell() {
    let entry = LinuxBoot::new("x", "http://10.0.0.1/k").retry(Retry {
        tries: 3,
        pause_s: 7,
    });
    let text = entry
        .script(Ending::Shell)
        .and_then(|script| script.render())
        .expect("written");
    let mut run = Run::new(&text).expect("it is a script");
    let mut answer = Answer::Done;
    let mut fetches = 0;
    let mut sleeps = 0;
    let end = loop {
        answer = match until(&mut run, answer).1 {
            Effect::Fetch { .. } => {
                fetches += 1;
                Answer::Failed
            }
            Effect::Sleep { seconds } => {
                assert_eq!(seconds, 7);
                sleeps += 1;
                Answer::Done
            }
            other => break other,
        };
    };
    assert_eq!((fetches, sleeps, end), (3, 2, Effect::Shell));
    assert_eq!(
        run.next(Answer::Failed),
        Effect::End(End::Exit { status: 1 })
    );
}

#[test]
fn a_menu_comes_back_from_everything_but_a_boot() {
    let chain = Chain::new("c", "http://10.0.0.1/c");
    let menu = Menu::new("Boot")
        .item(Item::new("c", "C", Action::Chain(chain)).key('c'))
        .item(Item::local_disk("l", "L"))
        .item(Item::shell("s", "S"))
        .default_item("l")
        .timeout_ms(9);
    let text = menu
        .script()
        .and_then(|script| script.render())
        .expect("written");
    let mut run = Run::new(&text).expect("it is a script");
    assert!(run.settings_mut().set("platform", "pcbios"));
    let choose = |effect: Effect, timeout: u32| {
        let Effect::Choose {
            title,
            items,
            default,
            timeout_ms,
        } = effect
        else {
            panic!("{effect:?}")
        };
        assert_eq!(
            (title.as_str(), items.len(), default.as_deref(), timeout_ms),
            ("Boot", 3, Some("item-l"), timeout)
        );
    };
    choose(until(&mut run, Answer::Done).1, 9);
    choose(until(&mut run, Answer::Failed).1, 0);
    assert_eq!(
        until(&mut run, Answer::Text("item-s".into())).1,
        Effect::Shell
    );
    choose(until(&mut run, Answer::Failed).1, 0);
    assert!(matches!(
        until(&mut run, Answer::Text("item-c".into())).1,
        Effect::Fetch { .. }
    ));
    let Effect::Boot { replace: false, .. } = until(&mut run, Answer::Done).1 else {
        panic!()
    };
    choose(until(&mut run, Answer::Failed).1, 0);
    let disk = until(&mut run, Answer::Text("item-l".into())).1;
    assert_eq!(
        disk,
        Effect::Sanboot {
            drive: Some("0x80".into()),
            uris: vec![]
        }
    );
    let (shown, prompt) = until(&mut run, Answer::Failed);
    assert!(shown[0].starts_with("Could not boot from the local disk."));
    assert!(matches!(prompt, Effect::Prompt { timeout_ms: 0, .. }));
    choose(until(&mut run, Answer::Done).1, 0);
    // A name that the menu does not have is no choice.
    choose(until(&mut run, Answer::Text("failed".into())).1, 0);
}

#[test]
fn the_local_disk_under_uefi_is_left_to_the_firmware() {
    let script = LocalDisk::ByPlatform
        .script(Ending::Shell)
        .and_then(|script| script.render());
    let mut run = Run::new(&script.expect("written")).expect("it is a script");
    assert!(run.settings_mut().set("platform", "efi"));
    assert_eq!(run.next(Answer::Done), Effect::End(End::Exit { status: 1 }));
}

#[test]
fn images_are_known_by_name() {
    let mut run = run(
        "imgfetch --name a http://x/b\nimgargs a one two\nkernel a\nimgfree b ||\nboot --replace",
    );
    assert!(matches!(run.next(Answer::Done), Effect::Fetch { .. }));
    let boot = run.next(Answer::Done);
    let Effect::Boot {
        kernel,
        initrds,
        replace: true,
    } = boot
    else {
        panic!("{boot:?}")
    };
    assert_eq!(
        (kernel.name.as_str(), kernel.args.as_str(), initrds.len()),
        ("a", "one two", 0)
    );
    assert_eq!(run.next(Answer::Done), Effect::End(End::Replaced));
    assert_eq!(run.next(Answer::Done), Effect::End(End::Replaced));
}

#[test]
fn what_is_not_known_fails_and_what_is_only_named_is_asked_for() {
    assert_eq!(shown("nosuch x || echo no"), ["no"]);
    let mut run = run("ntp ${server} && echo set");
    run.settings_mut().set("server", "10.0.0.1");
    let effect = run.next(Answer::Done);
    assert_eq!(
        effect,
        Effect::Command {
            words: vec!["ntp".into(), "10.0.0.1".into()]
        }
    );
    assert_eq!(until(&mut run, Answer::Done).0, ["set"]);
}

/// As Debian 12's iPXE showed them.
#[test]
fn settings_read_and_write_as_ipxe_does() {
    let cases = [
        (
            "set y:uint8 200\necho ${y} ${y:int32} ${y:hex} ${y:uint16}",
            "0xc8 -56 c8 0xc8",
        ),
        (
            "set z:hex 01:02\necho ${z} ${z:hexhyp} ${z:hexraw} ${z:int16} ${z:ipv4}.",
            "01:02 01-02 0102 258 .",
        ),
        (
            "set i:ipv4 1.2.3.4\necho ${i} ${i:hex} ${i:int32}",
            "1.2.3.4 01:02:03:04 16909060",
        ),
        ("set s abc\necho ${s:hex} ${s:int8}", "61:62:63 6382179"),
        (
            "set u a b%c/d?e&f=g+h~i_j-k.l:m@n\necho ${u:uristring}",
            "a%20b%25c%2Fd%3Fe%26f%3Dg+h~i_j-k.l%3Am%40n",
        ),
        ("set u é\necho ${u:uristring}", "%FFFFFFC3%FFFFFFA9"),
        (
            "set u !\"$'()*+,-.;<>[\\]^_`{|}~\necho ${u:uristring}",
            "!\"$'()*+,-.;<>[\\]^_`{|}~",
        ),
        (
            "inc never\ninc never:int8\necho ${never} ${never:hex}",
            "2 02",
        ),
        (
            "set e:int8 300\nset f:int32 -5\nset g:int32 010\necho ${e} ${f} ${g}",
            "44 -5 8",
        ),
        (
            "set x 5\ninc x ||\nset c:hex zz ||\nset x:bogus 2 ||\necho ${x}${c}",
            "5",
        ),
        (
            "set w:uristring a%20b\necho [${w}] [${w:string}]",
            "[a%20b] [a b]",
        ),
        (
            "set hostname hh\nset filename ff\necho ${12} ${67:string}",
            "hh ff",
        ),
        ("set ip 10.0.0.5\necho ${ip:hex}", "0a:00:00:05"),
        ("set x:int32 7\nset x abc\necho ${x:hex}", "61:62:63"),
        ("set x 1\nset x\necho [${x}]", "[]"),
        ("set nope/x 3\necho ${nope/x}", "3"),
        (
            "set c:base64 AQ I D\nset c:base64 /w= ||\nset c:base64 AA=A ||\necho ${c} ${c:hex}",
            "AQID 01:02:03",
        ),
        (
            "set o:hex ff\nset t:hex ff:fe\necho ${o:base64} ${t:base64}",
            "/w== //4=",
        ),
        (
            "set a:ipv6 2001:db8:0:0:1:0:0:1\nset a:ipv6 ::1.2.3.4 ||\necho ${a} ${a:hexraw}",
            "2001:db8::1:0:0:1 20010db8000000000001000000000001",
        ),
        (
            "set u:hexraw 0102030405060708090a0b0c0d0e0f10\necho ${u:uuid}",
            "01020304-0506-0708-090a-0b0c0d0e0f10",
        ),
        (
            "set u:uuid 01020304-0506-0708-090a-0b0c0d0e0f10 ||\necho [${u}]",
            "[]",
        ),
        (
            "set d:hex 12:34:56:78\nset f:hex f9\necho ${d:busdevfn} ${f:busdevfn}",
            "1234:56:0f.0 0000:00:1f.1",
        ),
        (
            "set l:hexraw 03666f6f03636f6d0003626172c004\necho ${l:dnssl}",
            "foo.com bar.com",
        ),
        (
            "set l:hexraw 01610000016200\nset p:hexraw c000\necho [${l:dnssl}] [${p:dnssl}]",
            "[a b] []",
        ),
        (
            "set m:hexraw 01610001620040000162c003\necho ${m:dnssl}",
            "a b a b.b",
        ),
        ("set n:hexraw c0020161\necho [${n:dnssl}]", "[]"),
        (
            "set q:hex 00:80:00:00:01\nset r:hex ff:41:00:00:00\necho [${q:int32}] [${r:int32}]",
            "[-2147483647] [1090519040]",
        ),
        ("set v:hex 41:00:42\necho [${v:string}]", "[A]"),
    ];
    for (body, expected) in cases {
        assert_eq!(shown(body), [expected], "{body}");
    }
}

/// RFC 5952, section 4.2: the longest run, the first of several, none of a single group.
#[test]
fn addresses_of_ipv6_are_short_and_never_dotted() {
    let cases = [
        ("::", "::"),
        ("::1", "::1"),
        ("1::", "1::"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("0:0:0:0:0:ffff:102:304", "::ffff:102:304"),
    ];
    for (written, read) in cases {
        assert_eq!(shown(&format!("set a:ipv6 {written}\necho ${{a}}")), [read]);
    }
}

#[test]
fn a_machine_brings_its_uuid_and_a_script_reads_it_in_either_order() {
    let text = "01020304-0506-0708-090A-0b0c0d0e0f10";
    let mut run = run("echo ${uuid} ${uuid:guid} ${uuid:hexraw}");
    assert!(run.settings_mut().set("uuid", text));
    assert!(!run.settings_mut().set("uuid", "01020304-0506-0708"));
    let (shown, _) = until(&mut run, Answer::Done);
    assert_eq!(
        shown,
        [
            "01020304-0506-0708-090a-0b0c0d0e0f10 04030201-0605-0807-090a-0b0c0d0e0f10 \
          0102030405060708090a0b0c0d0e0f10"
        ]
    );
}

#[test]
fn names_that_point_at_each_other_for_ever_are_no_text() {
    let circle = "c0".to_owned() + &"02c000".repeat(40);
    assert_eq!(
        shown(&format!("set l:hexraw {circle}00\necho [${{l:dnssl}}]")),
        ["[]"]
    );
    let long = "3f".to_owned() + &"61".repeat(63);
    let names = long.repeat(8) + "00" + &"c000".repeat(200);
    assert_eq!(
        shown(&format!("set l:hexraw {names}\necho [${{l:dnssl}}]")),
        ["[]"]
    );
}

const FORM: &str = "form Sign in
item --gap Who
item --default username Name
item --secret password Password
item slot:uint8 Slot
present && echo ${username} ${slot} || echo left";

fn form(run: &mut Run, answer: Answer) -> Vec<FormField> {
    match run.next(answer) {
        Effect::Form { title, fields } => {
            assert_eq!(title, "Sign in");
            fields
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_form_shows_its_settings_and_writes_them() {
    let mut run = run(FORM);
    run.settings_mut().set("username", "root");
    let fields = form(&mut run, Answer::Done);
    let of = |setting: Option<&str>, text: &str, value: &str, secret| FormField {
        setting: setting.map(Into::into),
        text: text.into(),
        value: value.into(),
        secret,
    };
    assert_eq!(
        fields,
        [
            of(None, "Who", "", false),
            of(Some("username"), "Name", "root", false),
            of(Some("password"), "Password", "", true),
            of(Some("slot:uint8"), "Slot", "", false),
        ]
    );
    let answer = Answer::Texts(vec!["eve".into(), "x".into(), "7".into()]);
    assert_eq!(until(&mut run, answer).0, ["eve 0x7"]);
    assert_eq!(run.settings().text("password"), "x");
}

#[test]
fn a_form_comes_again_until_its_values_fit_or_it_is_left() {
    let mut run = run(FORM);
    form(&mut run, Answer::Done);
    let wrong = vec!["eve".into(), String::new(), "seven".into()];
    let again = form(&mut run, Answer::Texts(wrong));
    assert_eq!(again[3].value, "seven");
    assert_eq!(until(&mut run, Answer::Failed).0, ["left"]);
    let mut stubborn = refused_form();
    let end = (0..200_000).find_map(|_| match stubborn.next(Answer::Done) {
        Effect::End(end) => Some(end),
        _ => None,
    });
    assert_eq!(end, Some(End::Unbounded));
}

fn refused_form() -> Run {
    let mut stubborn = run("form x\nitem uuid X\npresent");
    let uuid = "01020304-0506-0708-090a-0b0c0d0e0f10";
    assert!(stubborn.settings_mut().set("uuid", uuid));
    stubborn
}

#[test]
fn a_form_without_a_field_or_with_a_bad_one_fails() {
    for body in [
        "item x X\npresent",
        "form x\npresent",
        "form x\nitem a/b/c X\npresent",
    ] {
        let body = body.replace('\n', " ||\n") + " || echo no";
        assert_eq!(shown(&body), ["no"], "{body}");
    }
    assert_eq!(
        shown(
            "form --name f x\nitem --form f\nform --name f --delete\npresent --form f || echo no"
        ),
        ["no"]
    );
}

#[test]
fn a_script_of_many_labels_or_skipped_commands_ends_within_its_steps() {
    let hops: String = (0..40_000)
        .map(|n| format!(":l{n}\ngoto l{}\n", n + 1))
        .collect();
    let mut run = Run::new(&format!("#!ipxe\n{hops}:l40000\nexit 7\n")).expect("a script");
    assert_eq!(run.next(Answer::Done), Effect::End(End::Exit { status: 7 }));

    let skipped = "|| x ".repeat(1_000);
    let mut run = Run::new(&format!("#!ipxe\n:a\nset x y {skipped}\ngoto a\n")).expect("a script");
    assert_eq!(run.next(Answer::Done), Effect::End(End::Unbounded));
}
