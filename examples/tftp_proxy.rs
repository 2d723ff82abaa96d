//! Passes on by TFTP what an HTTP server has, and holds no more of a file than a window.
//!
//! `cargo run -p netboot-examples --bin tftp_proxy -- --upstream 127.0.0.1:8080 --listen
//! 127.0.0.1:6969`

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use netboot_tftp::server::{Content, Refusal, Request, Server, Settings, Source};
use netboot_tftp::{ErrorCode, RelativePath};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Pass on by TFTP what an HTTP server has.
#[derive(Debug, Parser)]
struct Arguments {
    /// The HTTP server: `HOST:PORT`
    #[arg(long)]
    upstream: String,
    /// Address and port to listen on.
    #[arg(long, default_value = "0.0.0.0:69")]
    listen: SocketAddr,
}

struct Proxy {
    upstream: String,
}

/// How long the HTTP server may take to answer; the client asks again meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest status line and headers that are read.
const MAX_HEAD_LEN: u64 = 16 << 10;

impl Source for Proxy {
    async fn open(&self, request: &Request<'_>) -> Result<Content, Refusal> {
        let path = RelativePath::decode(request.name)
            .map_err(|error| Refusal::access_violation().with_detail(error))?;
        let failed = |why: &dyn std::fmt::Display| {
            Refusal::new(ErrorCode::NOT_DEFINED, "the HTTP server fails").with_detail(why)
        };
        tokio::time::timeout(PATIENCE, get(&self.upstream, &path.to_string()))
            .await
            .map_err(|late| failed(&late))?
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Refusal::not_found(),
                _ => failed(&error),
            })
    }
}

/// Asks for a file, and gives its bytes as they come.
async fn get(upstream: &str, path: &str) -> io::Result<Content> {
    let mut stream = BufReader::new(TcpStream::connect(upstream).await?);
    let path = percent_encoded(path);
    let request = format!("GET /{path} HTTP/1.0\r\nHost: {upstream}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = (&mut stream).take(MAX_HEAD_LEN).lines();
    let next = async |head: &mut tokio::io::Lines<_>| {
        let line = head.next_line().await?;
        line.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    };
    let status = next(&mut head).await?;
    match status.split_whitespace().nth(1) {
        Some("200") => {}
        Some("404") => return Err(io::ErrorKind::NotFound.into()),
        _ => return Err(io::Error::other(status)),
    }
    let mut len = None;
    loop {
        let line = next(&mut head).await?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            len = value.trim().parse().ok();
        }
    }
    let len = len.ok_or_else(|| io::Error::other("the HTTP server does not tell the length"))?;
    Ok(Content::stream(stream, len))
}

fn percent_encoded(path: &str) -> String {
    let mut encoded = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tftp_proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let proxy = Proxy {
        upstream: arguments.upstream,
    };
    let server = Server::bind(arguments.listen, Settings::default(), proxy)
        .map_err(|error| format!("cannot listen on {}: {error}", arguments.listen))?;
    eprintln!("listening on {}", server.local_addr()?);
    server.serve(std::future::pending()).await?;
    Ok(())
}
