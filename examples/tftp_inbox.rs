//! Prints each file that a client writes, when all of it is here: logs and configurations of
//! devices.
//!
//! `cargo run -p netboot-examples --bin tftp_inbox -- --listen 127.0.0.1:6969`

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use netboot_tftp::server::{Content, Refusal, Request, Server, Settings, Sink, Source, Upload};

/// Print each file that a client writes.
#[derive(Debug, Parser)]
struct Arguments {
    /// Address and port to listen on.
    #[arg(long, default_value = "0.0.0.0:69")]
    listen: SocketAddr,
    /// Largest file that is taken, in bytes.
    #[arg(long, default_value_t = 1 << 20)]
    max_len: u64,
}

struct Inbox {
    max_len: u64,
}

impl Source for Inbox {
    async fn open(&self, _: &Request<'_>) -> Result<Content, Refusal> {
        Err(Refusal::not_found())
    }

    async fn create(&self, request: &Request<'_>) -> Result<Upload, Refusal> {
        let (client, name) = (request.client.ip(), request.name.escape_ascii());
        let letter = Letter {
            heading: format!("== {name} from {client}\n"),
            bytes: Vec::new(),
        };
        Ok(Upload::new(letter, self.max_len))
    }
}

/// A file on its way in. It is in memory alone, so nothing has to be cleared away if it is dropped.
struct Letter {
    heading: String,
    bytes: Vec<u8>,
}

impl Sink for Letter {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn commit(self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(self.heading.as_bytes())?;
        out.write_all(&self.bytes)?;
        out.flush()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tftp_inbox: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let max_len = arguments.max_len;
    let server = Server::bind(arguments.listen, Settings::default(), Inbox { max_len })
        .map_err(|error| format!("cannot listen on {}: {error}", arguments.listen))?;
    eprintln!("listening on {}", server.local_addr()?);
    server.serve(std::future::pending()).await?;
    Ok(())
}
