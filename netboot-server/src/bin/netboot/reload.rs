//! `netboot reload`.

use std::process::ExitCode;

use hyper::Method;
use serde_json::Value;

use super::control::Control;
use super::{Where, out, say};
use crate::process::Reads;
use netboot_server::Failure;

pub(super) fn run(at: &Where) -> Result<ExitCode, Failure> {
    let control = match at.state_dir_or_say(Reads::NothingElse) {
        Ok(dir) => Control::of(&dir),
        Err(code) => return Ok(code),
    };
    super::runtime()?.block_on(async {
        let answer = control.ask(Method::POST, "/api/v1/reload", "").await?;
        let answer = answer.ok_or_else(|| control.nobody())?;
        for problem in answer.document["problems"].as_array().into_iter().flatten() {
            say_problem(problem);
        }
        if answer.document["reloaded"] == true {
            out("the configuration is in service\n")?;
            return Ok(ExitCode::SUCCESS);
        }
        control.accepted(answer, "correct that, and reload again")?;
        Ok(ExitCode::FAILURE)
    })
}

/// As `netboot check` says it.
fn say_problem(problem: &Value) {
    let text = |key: &str| problem[key].as_str().unwrap_or_default();
    say(format_args!(
        "{}: {}: {}\n",
        text("severity"),
        text("place"),
        text("what")
    ));
    if !text("cure").is_empty() {
        say(format_args!("  cure: {}\n", text("cure")));
    }
}
