#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_ipxe::run::{Answer, Effect, Run};

fuzz_target!(|input: (&str, Vec<Result<Vec<String>, Option<String>>>)| {
    let Ok(mut run) = Run::new(input.0) else {
        return;
    };
    run.settings_mut().set("net0/mac:hex", "52:54:00:12:34:56");
    let mut answers = input.1.into_iter().map(|answer| match answer {
        Ok(texts) => Answer::Texts(texts),
        Err(text) => text.map_or(Answer::Failed, Answer::Text),
    });
    for _ in 0..1_000 {
        if let Effect::End(end) = run.next(answers.next().unwrap_or(Answer::Done)) {
            return assert_eq!(run.next(Answer::Done), Effect::End(end));
        }
    }
    let _ = (run.images(), run.settings().text("net0/mac:hexhyp"));
});
