//! The NixOS module and the example images, evaluated by Debian's Nix against as much of the module
//! system as they need, and the scripts of the images on file-backed disks and over HTTP.

mod image;
mod install;
mod module;
mod nix;
mod stand_in;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Output;
use std::thread;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Answers one request, and gives back its first line.
fn answer_once(answer: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
        let first = lines.next().expect("a line").expect("a line");
        for line in lines {
            if line.expect("a line").is_empty() {
                break;
            }
        }
        stream.write_all(answer.as_bytes()).expect("an answer");
        first
    });
    (address, served)
}
