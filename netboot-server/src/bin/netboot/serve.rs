//! `netboot serve`.

use std::process::ExitCode;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::lines::Lines;
use super::systemd;
use super::{EndSignals, Where};
use crate::process;
use crate::time::LogTime;
use netboot_server::Failure;
use netboot_server::config::Problem;
use netboot_server::telemetry::log::{Format, Log};
use netboot_server::{Inherited, Service};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    at: Where,
    /// What the lines of the log look like
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: Format,
}

/// How long the log's last lines may take to be read.
const FLUSH: Duration = Duration::from_secs(2);

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let lines = Lines::to(std::io::stderr());
    start_log(arguments.log_format, lines.clone());
    let served = serve(arguments, &lines);
    if !lines.flush(FLUSH) {
        // To say what failed would wait for whoever does not read.
        return Ok(served.unwrap_or(ExitCode::FAILURE));
    }
    served
}

fn serve(arguments: &Arguments, lines: &Lines) -> Result<ExitCode, Failure> {
    let Arguments { at, log_format } = arguments;
    let (config, problems) = at.load();
    let Some(config) = config else {
        super::say(format_args!("{problems}nothing was started\n"));
        return Ok(ExitCode::FAILURE);
    };
    let inherited = Inherited::from_environment()?;
    let files = process::raise_open_files();
    if let Some(user) = &config.user {
        process::become_user(user, &config.state_dir)?;
    }
    lines.start()?;
    tracing::debug!("this process may open {files} files");
    super::runtime()?.block_on(async {
        let mut end_signals = EndSignals::listen();
        let mut hang_ups = signal(SignalKind::hangup()).ok();
        let at = at.clone();
        let mut service = Service::builder(config)
            .inherited(inherited)
            .reread_by(move || at.load())
            .start()
            .await?;
        let mut known = problems;
        service.worlds().current().warn(&mut known);
        known.iter().for_each(Problem::log);
        let watchdog = tokio::spawn(systemd::keep_watchdog(service.health()));
        systemd::ready(&service);
        let log = write_log(Log::new(service.events(), *log_format));
        let ended = loop {
            tokio::select! {
                failure = service.failed() => break Err(failure),
                () = end_signals.next() => {
                    tracing::info!("stopping");
                    break Ok(());
                }
                () = next(&mut hang_ups) => {
                    // What came of it is in the log.
                    systemd::reloading();
                    let _ = service.reload().await;
                    systemd::ready(&service);
                }
            }
        };
        watchdog.abort();
        systemd::stopping();
        tokio::select! {
            () = service.stop() => {}
            () = end_signals.next() => tracing::info!("stopped before downloads were done"),
        }
        log.end().await;
        ended.map(|()| ExitCode::SUCCESS)
    })
}

/// The log, written by a task of its own: where it is written by who waits for signals, another
/// thread has to be woken for every line.
struct Writing {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn write_log(mut log: Log) -> Writing {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let task = tokio::spawn(async move {
        let _ = stopped.run_until_cancelled(log.write()).await;
        log.write_rest();
    });
    Writing { stop, task }
}

impl Writing {
    /// Writes what is left.
    async fn end(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

fn start_log(format: Format, lines: Lines) {
    // What is said of a panic goes the same way.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(AutoStream::choice(&std::io::stderr()) != ColorChoice::Never)
        // Nobody may be reading any more, and that is no reason to stop.
        .log_internal_errors(false)
        .with_writer(lines);
    match format {
        Format::Json => log
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .init(),
        // The journal has a time of its own.
        Format::Text if std::env::var_os("JOURNAL_STREAM").is_some() => log.without_time().init(),
        Format::Text => log.with_timer(LogTime).init(),
    }
}

async fn next(signals: &mut Option<Signal>) {
    if let Some(signals) = signals
        && signals.recv().await.is_some()
    {
        return;
    }
    std::future::pending().await
}
