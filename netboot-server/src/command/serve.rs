//! `netboot serve`.

use std::io::IsTerminal;
use std::process::ExitCode;

use super::Where;
use crate::config::{Problems, Severity};
use crate::failure::Failure;
use crate::log::Log;
use crate::service::Service;

pub(super) fn run(at: &Where) -> Result<ExitCode, Failure> {
    start_log();
    let (config, problems) = at.load();
    let Some(config) = config else {
        super::say(format_args!("{problems}nothing was started\n"));
        return Ok(ExitCode::FAILURE);
    };
    super::runtime()?.block_on(async {
        let mut told = std::pin::pin!(super::told_to_end());
        let mut service = Service::start(config).await?;
        let mut known = problems;
        service.worlds().current().warn(&mut known);
        say(&known);
        let mut log = Log::new(service.events());
        let ended = tokio::select! {
            never = log.write() => match never {},
            failure = service.failed() => Err(failure),
            () = &mut told => {
                tracing::info!("stopping");
                Ok(())
            }
        };
        tokio::select! {
            never = log.write() => match never {},
            () = service.stop() => {}
        }
        log.write_rest();
        ended.map(|()| ExitCode::SUCCESS)
    })
}

fn start_log() {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        // Nobody may be reading any more, and that is no reason to stop.
        .log_internal_errors(false)
        .with_writer(std::io::stderr)
        .init();
}

fn say(problems: &Problems) {
    for problem in problems.iter() {
        let line = format!("{}: {}", problem.place, problem.what);
        match problem.severity {
            Severity::Note => tracing::info!("{line}"),
            Severity::Warning | Severity::Error => tracing::warn!("{line}; {}", problem.cure),
        }
    }
}
