//! Serves a directory by TFTP, and takes files where told to.
//!
//! `cargo run -p netboot-examples --bin tftp_serve -- --root DIR --listen 127.0.0.1:6969`

use std::error::Error;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use netboot_tftp::Limits;
use netboot_tftp::server::{Directory, Event, Server, Settings, Writing};

/// Serve a directory by TFTP.
#[derive(Debug, Parser)]
struct Arguments {
    /// Directory whose files are served.
    #[arg(long)]
    root: PathBuf,
    /// Address and port to listen on.
    #[arg(long, default_value = "0.0.0.0:69")]
    listen: SocketAddr,
    /// Largest window that is agreed to, in blocks.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    max_windowsize: u16,
    /// Largest block that is agreed to, in bytes.
    #[arg(long, default_value_t = 1468, value_parser = clap::value_parser!(u16).range(8..=65464))]
    max_blksize: u16,
    /// Most transfers at one time, and most for one client.
    #[arg(long, default_value = "1000")]
    max_transfers: NonZeroUsize,
    /// Send and receive everything through the one port, for NAT and containers.
    #[arg(long)]
    single_port: bool,
    /// Let anyone write new files of at most this many bytes.
    #[arg(long, value_name = "BYTES")]
    allow_write: Option<u64>,
    /// Let anyone replace files, too.
    #[arg(long, requires = "allow_write")]
    allow_overwrite: bool,
    /// Print a line for each transfer.
    #[arg(long)]
    verbose: bool,
}

// One thread: a transfer costs too little to be worth moving between cores.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tftp_serve: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let limits = Limits::default()
        .max_windowsize(arguments.max_windowsize)
        .max_blksize(arguments.max_blksize);
    let settings = Settings::default()
        .limits(limits)
        .max_transfers(arguments.max_transfers.get())
        .max_transfers_per_client(arguments.max_transfers.get())
        .single_port(arguments.single_port);

    let mut directory = Directory::new(&arguments.root)
        .map_err(|error| format!("cannot serve {}: {error}", arguments.root.display()))?;
    if let Some(max_len) = arguments.allow_write {
        let writing = Writing::default()
            .max_len(max_len)
            .overwrite(arguments.allow_overwrite);
        directory = directory.writable(writing);
    }
    let server = Server::bind(arguments.listen, settings, directory)
        .map_err(|error| format!("cannot listen on {}: {error}", arguments.listen))?;
    eprintln!(
        "serving {} on {}",
        arguments.root.display(),
        server.local_addr()?
    );
    let (verbose, counters) = (arguments.verbose, server.counters());
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
    let totals = counters.totals();
    eprintln!(
        "{} transfers, {} bytes, {} packets sent again, {} requests over a cap",
        totals.started,
        totals.bytes,
        totals.retransmissions,
        totals.over_cap + totals.over_cap_of_client
    );
    Ok(())
}

fn print(event: &Event<'_>) {
    let line = |client: &SocketAddr, name: &[u8], what: String| {
        eprintln!("{client} {}: {what}", name.escape_ascii());
    };
    match event {
        Event::Started { transfer } => {
            let (size, options) = (transfer.size, transfer.agreed.options());
            let what = format!("{:?}, {size} bytes, options {options}", transfer.direction);
            line(&transfer.client, &transfer.name, what);
        }
        Event::Finished { transfer, stats } => {
            let (elapsed, again) = (stats.elapsed, stats.retransmissions);
            let what = format!("done in {elapsed:?}, {again} sent again");
            line(&transfer.client, &transfer.name, what);
        }
        Event::SizeProbe { transfer, .. } => {
            line(&transfer.client, &transfer.name, "size only".into());
        }
        Event::Unconfirmed { transfer, .. } => {
            let what = "all sent, no last acknowledgement";
            line(&transfer.client, &transfer.name, what.into());
        }
        Event::Failed {
            transfer, failure, ..
        } => line(&transfer.client, &transfer.name, failure.to_string()),
        Event::Refused {
            client,
            name,
            message,
            detail,
            ..
        } => {
            let detail = detail.map(|detail| format!(": {detail}"));
            let detail = detail.unwrap_or_default();
            line(client, name, format!("refused, {message}{detail}"));
        }
        Event::OverCap { client, name, cap } => line(client, name, cap.to_string()),
        other => eprintln!("{other:?}"),
    }
}
