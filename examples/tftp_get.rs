//! Reads a file by TFTP.
//!
//! `cargo run -p netboot-examples --bin tftp_get -- tftp://127.0.0.1:6969/ipxe.efi -o ipxe.efi --windowsize 16`

use std::path::PathBuf;

use clap::Parser;
use netboot_tftp::client::Client;

/// Read a file by TFTP.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where it is: tftp://HOST[:PORT]/NAME
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

    let client = Client::new(server)
        .blksize(arguments.blksize)
        .windowsize(arguments.windowsize);
    let file = tokio::fs::File::create(&arguments.output)
        .await
        .map_err(|error| format!("cannot write {}: {error}", arguments.output.display()))?;
    let mut file = tokio::io::BufWriter::with_capacity(1 << 16, file);
    let mut shown = None;
    let fetched = client
        .get(name, &mut file, |progress| {
            let percent = progress
                .size
                .and_then(|size| (progress.bytes * 100).checked_div(size));
            if percent != shown {
                shown = percent;
                eprint!(
                    "\r{} bytes, {} %",
                    progress.bytes,
                    percent.unwrap_or_default()
                );
            }
        })
        .await?;
    eprintln!(
        "\r{} bytes in {:?}, options {}",
        fetched.stats.bytes,
        fetched.stats.elapsed,
        fetched.agreed.options()
    );
    Ok(())
}
