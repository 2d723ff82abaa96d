//! One run of `nix-build`, or of `nix build` for a flake.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::error::HowEnded;
use super::{NixError, Stage};

/// What is built of a configuration. The initial RAM disk alone holds no kernel.
const OUTPUTS: [&str; 3] = ["kernel", "netbootRamdisk", "netbootIpxeScript"];
/// How many of Nix's lines are kept for an error, and how many bytes of each.
const LAST: usize = 12;
const LONGEST: usize = 500;

/// What is to be built.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// A file for nixpkgs' `nixos-config`.
    File(PathBuf),
    /// A flake reference with the attribute of a configuration.
    Flake(String),
}

impl Order {
    fn program(&self) -> &'static str {
        match self {
            Self::File(_) => "nix-build",
            Self::Flake(_) => "nix",
        }
    }

    /// The oldest version that can: before 2.3 builders' output was not told apart, and flakes came
    /// with 2.4.
    fn oldest(&self) -> (u32, u32) {
        match self {
            Self::File(_) => (2, 3),
            Self::Flake(_) => (2, 4),
        }
    }

    fn command(&self, show_trace: bool, out_link: &Path) -> Command {
        let mut command = Command::new(self.program());
        match self {
            Self::File(file) => {
                let mut setting = std::ffi::OsString::from("nixos-config=");
                setting.push(file);
                command.arg("<nixpkgs/nixos>").arg("-I").arg(setting);
                for output in OUTPUTS {
                    command
                        .arg("-A")
                        .arg(format!("config.system.build.{output}"));
                }
            }
            Self::Flake(reference) => {
                command.args(["build", "--log-format", "raw"]);
                command.args(["--extra-experimental-features", "nix-command flakes"]);
                for output in OUTPUTS {
                    command.arg(format!("{reference}.config.system.build.{output}"));
                }
            }
        }
        if show_trace {
            command.arg("--show-trace");
        }
        command.arg("--out-link").arg(out_link);
        command
    }
}

/// Builds the outputs and links them to `out_link` and beside it; `tell` hears each new stage.
/// Where `stop` is cancelled Nix is told to end, and is waited for.
pub(crate) async fn build(
    order: &Order,
    show_trace: bool,
    out_link: &Path,
    stop: &CancellationToken,
    mut tell: impl FnMut(Stage),
) -> Result<(), NixError> {
    if let Order::File(file) = order
        && !file.exists()
    {
        return Err(NixError::NoFile(file.clone()));
    }
    check_version(order).await?;
    tell(Stage::Evaluating);
    let mut command = order.command(show_trace, out_link);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| cannot_run(order, error))?;
    let mut last = VecDeque::new();
    let (status, told_to_end) = {
        let said = child.stderr.take();
        let reading = async {
            if let Some(said) = said {
                for_each_line(BufReader::new(said), |line| {
                    if let Some(stage) = Stage::of_line(&line) {
                        tell(stage);
                    }
                    if last.len() == LAST {
                        last.pop_front();
                    }
                    last.push_back(line);
                })
                .await;
            }
        };
        let read = stop.run_until_cancelled(reading).await;
        if read.is_none() {
            tell_to_end(&child);
        }
        let status = child.wait().await;
        (status, read.is_none())
    };
    match status.map_err(|error| cannot_run(order, error))? {
        _ if told_to_end => Err(NixError::ToldToEnd),
        status if status.success() => Ok(()),
        status => Err(NixError::Failed {
            program: order.program(),
            how: how_ended(status),
            last: last.into_iter().filter(|line| !line.is_empty()).collect(),
        }),
    }
}

/// Nix ends its builders when it is asked to end, and not when it is killed.
fn tell_to_end(child: &Child) {
    if let Some(Ok(pid)) = child.id().map(i32::try_from) {
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
}

fn how_ended(status: ExitStatus) -> HowEnded {
    match (status.code(), status.signal()) {
        (Some(code), _) => HowEnded::Code(code),
        (None, signal) => HowEnded::Signal(signal.unwrap_or(0)),
    }
}

fn cannot_run(order: &Order, source: io::Error) -> NixError {
    let program = order.program();
    match source.kind() {
        io::ErrorKind::NotFound => NixError::Absent { program },
        _ => NixError::Io {
            action: "cannot run",
            path: program.into(),
            source,
        },
    }
}

/// A version that cannot be read is no reason to stop.
async fn check_version(order: &Order) -> Result<(), NixError> {
    let mut command = Command::new(order.program());
    command.arg("--version").stdin(Stdio::null());
    let output = command.output().await;
    let output = output.map_err(|error| cannot_run(order, error))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let (oldest, found) = (order.oldest(), read_version(&said));
    match found {
        Some((version, text)) if version < oldest => Err(NixError::TooOld {
            found: text.to_owned(),
            needed: format!("{}.{}", oldest.0, oldest.1),
        }),
        _ => Ok(()),
    }
}

/// The version of `nix-build (Nix) 2.8.0`.
fn read_version(said: &str) -> Option<((u32, u32), &str)> {
    let text = said.lines().next()?.rsplit(' ').next()?;
    let mut numbers = text.split('.').map(|number| number.parse::<u32>());
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return None;
    };
    Some(((major, minor), text))
}

/// Reads lines to the end, and keeps no more than [`LONGEST`] bytes of each.
async fn for_each_line(mut said: impl AsyncBufRead + Unpin, mut tell: impl FnMut(String)) {
    let mut line = Vec::new();
    // What cannot be read is lost; how Nix ended is told all the same.
    while let Ok(chunk) = said.fill_buf().await {
        if chunk.is_empty() {
            break;
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        let room = LONGEST.saturating_sub(line.len()).min(part.len());
        line.extend_from_slice(part.get(..room).unwrap_or_default());
        let taken = part.len() + usize::from(end.is_some());
        said.consume(taken);
        if end.is_some() {
            tell(plain(&line));
            line.clear();
        }
    }
    if !line.is_empty() {
        tell(plain(&line));
    }
}

/// A line without colours and whatever else would move the cursor.
fn plain(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            // ESC [ numbers letter, which is how Nix writes its colours.
            rest.by_ref().find(char::is_ascii_alphabetic);
        } else if c == '\t' {
            plain.push(' ');
        } else if !c.is_control() {
            plain.push(c);
        }
    }
    plain.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_nix_says_them() {
        for (said, version) in [
            ("nix-build (Nix) 2.8.0\n", Some((2, 8))),
            ("nix (Nix) 2.3.16", Some((2, 3))),
            ("nix (Nix) 2.24pre20240801_abc", None),
            ("nix (Lix, like Nix) 2.91.1\n", Some((2, 91))),
            ("", None),
        ] {
            assert_eq!(
                read_version(said).map(|(version, _)| version),
                version,
                "{said}"
            );
        }
    }

    #[tokio::test]
    async fn lines_are_cut_and_lose_their_colours() {
        let said = format!(
            "\u{1b}[31;1merror:\u{1b}[0m no\r\n{}\nend",
            "x".repeat(2000)
        );
        let mut lines = Vec::new();
        for_each_line(BufReader::with_capacity(7, said.as_bytes()), |line| {
            lines.push(line)
        })
        .await;
        assert_eq!(
            lines,
            [
                "error: no".to_owned(),
                "x".repeat(LONGEST),
                "end".to_owned()
            ]
        );
    }
}
