//! What the interpreter asks for, script by script.

mod cards;
mod entries;
mod flow;
mod forms;
mod settings;

use netboot_ipxe::run::{Answer, Effect, End, Run};

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
