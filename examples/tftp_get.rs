//! Reads a file by TFTP.
//!
//! `cargo run -p netboot-examples --bin tftp_get -- tftp://127.0.0.1:6969/ipxe.efi -o ipxe.efi
//! --windowsize 16`

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use netboot_tftp::client::Completed;
use tftp_command::{Transfer, bar, because, conclude, resolve};
use tokio::fs::File;
use tokio::io::BufWriter;

mod tftp_command;

/// Read a file by TFTP.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where it is: `tftp://HOST[:PORT]/NAME`
    url: String,
    /// File to write; one that is there is replaced when all has arrived.
    #[arg(short, long)]
    output: PathBuf,
    #[command(flatten)]
    transfer: Transfer,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    conclude("tftp_get", get(&Arguments::parse()).await)
}

async fn get(arguments: &Arguments) -> Result<Completed, Box<dyn Error>> {
    let output = &arguments.output;
    // A device takes the bytes as they come, and nothing is put in its place.
    if output
        .metadata()
        .is_ok_and(|there| !there.is_file() && !there.is_dir())
    {
        return get_into(arguments, output).await;
    }
    let mut part = output.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let got = tokio::select! {
        got = get_into(arguments, &part) => got,
        Ok(()) = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    let renamed = match &got {
        Ok(_) => tokio::fs::rename(&part, output).await,
        Err(_) => Ok(()),
    };
    if got.is_err() || renamed.is_err() {
        // What failed is what there is to say; that nothing is left is as good as it gets.
        let _left_behind = tokio::fs::remove_file(&part).await;
    }
    renamed.map_err(|error| format!("cannot write {}: {error}", output.display()))?;
    got
}

async fn get_into(arguments: &Arguments, output: &Path) -> Result<Completed, Box<dyn Error>> {
    let (server, name) = resolve(&arguments.url).await?;
    let file = File::create(output)
        .await
        .map_err(|error| format!("cannot write {}: {error}", output.display()))?;
    let mut file = BufWriter::with_capacity(1 << 16, file);
    let bar = bar(None)?;
    let client = arguments.transfer.client(server);
    let got = client
        .get(name, &mut file, |progress| {
            if let Some(size) = progress.size {
                bar.set_length(size);
            }
            bar.set_position(progress.bytes);
        })
        .await;
    bar.finish_and_clear();
    let (url, into) = (&arguments.url, arguments.output.display());
    let what = || format!("cannot get {url} into {into}");
    Ok(got.map_err(|error| because(&what(), &error))?)
}
