//! Guards, expansion, bounds, images and commands by name.

use netboot_ipxe::run::{Answer, Effect, End, Run};

use super::{run, shown, until};

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
