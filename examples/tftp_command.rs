//! What `tftp_get` and `tftp_put` share: their options, the URL, the progress bar and what they say
//! in the end.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use netboot_tftp::client::{Client, Completed};

/// How to transfer.
#[derive(Debug, Args)]
pub(crate) struct Transfer {
    /// Bytes in a block to ask for.
    #[arg(long, default_value_t = 1468, value_parser = clap::value_parser!(u16).range(8..=65464))]
    blksize: u16,
    /// Blocks in a window to ask for.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    windowsize: u16,
    /// Transfer text: its lines end with LF here and with CR LF on the way.
    #[arg(long)]
    netascii: bool,
}

impl Transfer {
    pub(crate) fn client(&self, server: SocketAddr) -> Client {
        let client = Client::new(server)
            .blksize(self.blksize)
            .windowsize(self.windowsize);
        if self.netascii {
            client.netascii()
        } else {
            client
        }
    }
}

/// The server and the name of `tftp://HOST[:PORT]/NAME`.
pub(crate) async fn resolve(url: &str) -> Result<(SocketAddr, &str), Box<dyn Error>> {
    let (host, name) = url
        .strip_prefix("tftp://")
        .and_then(|rest| rest.split_once('/'))
        .filter(|(host, name)| !host.is_empty() && !name.is_empty())
        .ok_or_else(|| format!("{url} is not tftp://HOST[:PORT]/NAME"))?;
    // The colons of an IPv6 address are within brackets.
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.contains(']'));
    let authority = if has_port {
        host.to_owned()
    } else {
        format!("{host}:69")
    };
    let server = tokio::net::lookup_host(&authority)
        .await
        .map_err(|error| format!("cannot find {host}: {error}"))?
        .next()
        .ok_or_else(|| format!("{host} has no address"))?;
    Ok((server, name))
}

/// A bar that is drawn on a terminal only, and that goes away in the end.
pub(crate) fn bar(size: Option<u64>) -> Result<ProgressBar, Box<dyn Error>> {
    let style = ProgressStyle::with_template(
        "{wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}",
    )?;
    let bar = size.map_or_else(ProgressBar::no_length, ProgressBar::new);
    Ok(bar.with_style(style))
}

/// What failed and all of why, in one line.
pub(crate) fn because(what: &str, error: &dyn Error) -> String {
    let mut line = format!("{what}: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        line += &format!(": {inner}");
        cause = inner.source();
    }
    line
}

/// Says how it ended: one line on standard error, and exit code 1 where it failed.
pub(crate) fn conclude(command: &str, ended: Result<Completed, Box<dyn Error>>) -> ExitCode {
    match ended {
        Ok(done) => {
            let (stats, options) = (done.stats, done.agreed.options());
            eprintln!(
                "{} bytes in {:.3} s, options {options}",
                stats.bytes,
                stats.elapsed.as_secs_f64()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", because(command, &*error));
            ExitCode::FAILURE
        }
    }
}
