//! The example that embeds the service, as somebody runs it on the loopback interface.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The answer to a request, whole.
fn ask(port: u16, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_machine_boots_the_image_until_it_has_reported() {
    let state = tempfile::tempdir().expect("a folder");
    // Below those that the system hands out by itself, and not those of netboot-server's tests.
    let first = 30_000 + u16::try_from(std::process::id() % 500).expect("below 500") * 5;
    let ports: Vec<u16> = (first..first + 5).collect();
    let mut child = Command::new(env!("CARGO_BIN_EXE_netboot_embed"))
        .args(["--interface", "lo", "--address", "127.0.0.1"])
        .args([
            "--range",
            "127.0.0.100",
            "127.0.0.200",
            "--image",
            "memtest",
        ])
        .arg("--state-dir")
        .arg(state.path())
        .arg("--ports")
        .args(ports.iter().map(u16::to_string))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example");
    let errors = child.stderr.take().expect("a pipe");
    let _running = Running(child);
    let first = BufReader::new(errors).lines().next();
    let first = first.expect("a line").expect("text");
    assert_eq!(first, "serving 127.0.0.1");

    let http = ports[3];
    let script = || ask(http, "GET", "/boot.ipxe?mac=52-54-00-12-34-56");
    assert!(
        script().contains("The image memtest is not in the store"),
        "{}",
        script()
    );
    assert!(ask(http, "PUT", "/done/nobody").starts_with("HTTP/1.1 400 "));
    assert!(ask(http, "PUT", "/done/52-54-00-12-34-56").starts_with("HTTP/1.1 200 "));
    // The report is answered before everything is decided anew.
    while script().contains("memtest") {}
    assert!(script().contains("choose "), "{}", script());
}
