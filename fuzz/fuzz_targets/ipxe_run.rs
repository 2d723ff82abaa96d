#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_ipxe::run::{Answer, Effect, Run};

fuzz_target!(|input: (&str, Vec<Option<String>>)| {
    let (source, answers) = input;
    let Ok(mut run) = Run::new(source) else {
        return;
    };
    run.settings_mut().set("net0/mac:hex", "52:54:00:12:34:56");
    let mut answers = answers.into_iter();
    for _ in 0..1_000 {
        let answer = answers.next().map_or(Answer::Done, |text| {
            text.map_or(Answer::Failed, Answer::Text)
        });
        if let Effect::End(end) = run.next(answer) {
            assert_eq!(run.next(Answer::Done), Effect::End(end));
            let _ = (run.images(), run.settings().text("net0/mac:hexhyp"));
            return;
        }
    }
});
