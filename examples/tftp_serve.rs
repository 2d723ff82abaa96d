//! Serves a directory by TFTP, read-only.
//!
//! `cargo run -p netboot-examples --bin tftp_serve -- --root DIR --listen 127.0.0.1:6969`

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use netboot_tftp::server::{Directory, Event, Server, Settings};

/// Serve a directory by TFTP, read-only.
#[derive(Debug, Parser)]
struct Arguments {
    /// Directory whose files are served.
    #[arg(long)]
    root: PathBuf,
    /// Address and port to listen on.
    #[arg(long, default_value = "0.0.0.0:69")]
    listen: SocketAddr,
    /// Largest window that is agreed to, in blocks.
    #[arg(long, default_value_t = 64)]
    max_windowsize: u16,
    /// Largest block that is agreed to, in bytes.
    #[arg(long, default_value_t = 1468)]
    max_blksize: u16,
    /// Most transfers at one time, and most for one client.
    #[arg(long, default_value_t = 1000)]
    max_transfers: usize,
    /// Print a line for each transfer.
    #[arg(long)]
    verbose: bool,
}

// One thread: a transfer costs too little to be worth moving between cores.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let mut settings = Settings::default();
    settings.limits.max_windowsize = arguments.max_windowsize;
    settings.limits.max_blksize = arguments.max_blksize;
    settings.max_transfers = arguments.max_transfers;
    settings.max_transfers_per_client = arguments.max_transfers;

    let directory = Directory::new(&arguments.root)
        .map_err(|error| format!("{}: {error}", arguments.root.display()))?;
    let server = Server::bind(arguments.listen, settings, directory)
        .map_err(|error| format!("cannot listen on {}: {error}", arguments.listen))?;
    eprintln!(
        "serving {} on {}",
        arguments.root.display(),
        server.local_addr()?
    );
    let verbose = arguments.verbose;
    let server = server.observe(move |event| {
        if verbose {
            print(event);
        }
    });
    server
        .serve(async {
            // Without a signal to wait for there is nothing to stop on.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
        .await?;
    Ok(())
}

fn print(event: &Event<'_>) {
    match event {
        Event::Started { transfer } => eprintln!(
            "{} {}: {} bytes, options {}",
            transfer.client,
            transfer.name.escape_ascii(),
            transfer.size,
            transfer.agreed.options()
        ),
        Event::Finished { transfer, stats } => eprintln!(
            "{} {}: done in {:?}, {} sent again",
            transfer.client,
            transfer.name.escape_ascii(),
            stats.elapsed,
            stats.retransmissions
        ),
        Event::SizeProbe { transfer, .. } => {
            eprintln!(
                "{} {}: size only",
                transfer.client,
                transfer.name.escape_ascii()
            );
        }
        Event::Refused {
            client,
            name,
            message,
            detail,
            ..
        } => {
            let detail = detail.unwrap_or_default();
            eprintln!(
                "{client} {}: refused, {message} {detail}",
                name.escape_ascii()
            );
        }
        other => eprintln!("{other:?}"),
    }
}
