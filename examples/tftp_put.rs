//! Writes a file by TFTP.
//!
//! `cargo run -p netboot-examples --bin tftp_put -- switch-1.cfg
//! tftp://127.0.0.1:6969/switch-1.cfg`

use std::error::Error;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use netboot_tftp::client::{Completed, Content};
use tftp_command::{Transfer, bar, because, conclude, resolve};

mod tftp_command;

/// Write a file by TFTP.
#[derive(Debug, Parser)]
struct Arguments {
    /// File to send.
    file: PathBuf,
    /// Where to: `tftp://HOST[:PORT]/NAME`
    url: String,
    #[command(flatten)]
    transfer: Transfer,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    conclude("tftp_put", put(&Arguments::parse()).await)
}

async fn put(arguments: &Arguments) -> Result<Completed, Box<dyn Error>> {
    let path = &arguments.file;
    let content = open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let (server, name) = resolve(&arguments.url).await?;
    let bar = bar(Some(content.len()))?;
    let client = arguments.transfer.client(server);
    let put = client
        .put(name, content, |progress| bar.set_position(progress.bytes))
        .await;
    bar.finish_and_clear();
    let what = || format!("cannot put {} at {}", path.display(), arguments.url);
    Ok(put.map_err(|error| because(&what(), &error))?)
}

fn open(path: &Path) -> io::Result<Content> {
    // Opening a pipe would wait for somebody to write to it.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Content::from_file(File::open(path)?)
}
