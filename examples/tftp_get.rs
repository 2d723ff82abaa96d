//! Reads a file by TFTP.
//!
//! `cargo run -p netboot-examples --bin tftp_get -- tftp://127.0.0.1:6969/ipxe.efi -o ipxe.efi --windowsize 16`

use std::path::PathBuf;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use netboot_tftp::client::Client;

/// Read a file by TFTP.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where it is: `tftp://HOST[:PORT]/NAME`
    url: String,
    /// File to write; it is replaced.
    #[arg(short, long)]
    output: PathBuf,
    /// Bytes in a block to ask for.
    #[arg(long, default_value_t = 1468)]
    blksize: u16,
    /// Blocks in a window to ask for.
    #[arg(long, default_value_t = 16)]
    windowsize: u16,
    /// Read text: lines end with LF here.
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

    let mut client = Client::new(server)
        .blksize(arguments.blksize)
        .windowsize(arguments.windowsize);
    if arguments.netascii {
        client = client.netascii();
    }
    let file = tokio::fs::File::create(&arguments.output)
        .await
        .map_err(|error| format!("cannot write {}: {error}", arguments.output.display()))?;
    let mut file = tokio::io::BufWriter::with_capacity(1 << 16, file);
    // Drawn on a terminal only.
    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template(
        "{wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}",
    )?);
    let done = client
        .get(name, &mut file, |progress| {
            if let Some(size) = progress.size {
                bar.set_length(size);
            }
            bar.set_position(progress.bytes);
        })
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
