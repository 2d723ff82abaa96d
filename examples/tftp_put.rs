//! Writes a file by TFTP.
//!
//! `cargo run -p netboot-examples --bin tftp_put -- switch-1.cfg tftp://127.0.0.1:6969/switch-1.cfg`

use std::fs::File;
use std::path::PathBuf;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use netboot_tftp::client::{Client, Content};

/// Write a file by TFTP.
#[derive(Debug, Parser)]
struct Arguments {
    /// File to send.
    file: PathBuf,
    /// Where to: `tftp://HOST[:PORT]/NAME`
    url: String,
    /// Bytes in a block to ask for.
    #[arg(long, default_value_t = 1468)]
    blksize: u16,
    /// Blocks in a window to ask for.
    #[arg(long, default_value_t = 16)]
    windowsize: u16,
    /// Write text: its lines end with LF here.
    #[arg(long)]
    netascii: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let (host, name) = arguments
        .url
        .strip_prefix("tftp://")
        .and_then(|rest| rest.split_once('/'))
        .ok_or("the URL has to be tftp://HOST[:PORT]/NAME")?;
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

    let content = File::open(&arguments.file)
        .and_then(Content::from_file)
        .map_err(|error| format!("cannot read {}: {error}", arguments.file.display()))?;
    let mut client = Client::new(server)
        .blksize(arguments.blksize)
        .windowsize(arguments.windowsize);
    if arguments.netascii {
        client = client.netascii();
    }
    // Drawn on a terminal only.
    let bar = ProgressBar::new(content.len()).with_style(ProgressStyle::with_template(
        "{wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}",
    )?);
    let done = client
        .put(name, content, |progress| bar.set_position(progress.bytes))
        .await?;
    bar.finish_and_clear();
    eprintln!(
        "{} bytes in {:?}, options {}",
        done.stats.bytes,
        done.stats.elapsed,
        done.agreed.options()
    );
    Ok(())
}
