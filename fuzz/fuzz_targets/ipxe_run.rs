#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_ipxe::run::{Answer, Effect, Run};

fuzz_target!(|input: (&str, Vec<Option<Vec<String>>>)| {
    let Ok(mut run) = Run::new(input.0) else { return };
    run.settings_mut().set("net0/mac:hex", "52:54:00:12:34:56");
    let mut answers = input.1.into_iter().map(|answer| answer.map_or(Answer::Failed, Answer::Texts));
    for step in 0..1_000 {
        let answer = match answers.next() {
            Some(Answer::Texts(mut texts)) if step % 2 == 0 => texts.pop().map_or(Answer::Done, Answer::Text),
            answer => answer.unwrap_or(Answer::Done),
        };
        if let Effect::End(end) = run.next(answer) {
            return assert_eq!(run.next(Answer::Done), Effect::End(end));
        }
    }
    let _ = (run.images(), run.settings().text("net0/mac:hexhyp"));
});
