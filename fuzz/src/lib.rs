//! A whole service on the loopback interface, which targets speak HTTP to.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use netboot_image::{ImageName, NewImage, Store};
use netboot_server::Service;
use netboot_server::config::Host;
use netboot_server::config::document::{Document, Network, Ports, Target};
use socket2::{Domain, Socket, Type};

/// What such a service is reached by.
#[derive(Debug)]
pub struct Site {
    /// Of HTTP for machines.
    pub http: SocketAddr,
    /// The control socket, which has the API.
    pub control: PathBuf,
    _state: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

/// The service, which is started by the first call and runs to the end of the process.
pub fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(start)
}

fn start() -> Site {
    let state = tempfile::tempdir().expect("a temporary folder");
    let program = state.path().join("program");
    std::fs::write(&program, pe()).expect("a file");
    let store = Store::create(state.path().join("http/images")).expect("a store");
    let name: ImageName = "img".parse().expect("a name");
    store
        .publish(
            std::time::SystemTime::UNIX_EPOCH,
            NewImage::efi(name, &program),
        )
        .expect("an image");
    // Those of other processes are others.
    let first = 20_000 + (std::process::id() % 4_000) as u16 * 10;
    let ports = Ports::new()
        .dhcp(first)
        .dhcp_client(first + 1)
        .tftp(first + 2)
        .http(first + 3)
        .boot_server(first + 4);
    let server = Ipv4Addr::LOCALHOST;
    let network = Network::on("lo", server)
        .subnet("127.0.0.0/8".parse().expect("a subnet"))
        .range([127, 0, 0, 100].into(), [127, 0, 0, 200].into());
    let (config, problems) = Document::new()
        .state_dir(state.path())
        .program_dirs(Vec::<String>::new())
        .admin_listen(None)
        .ports(ports)
        .network(network)
        .target(Target::new("node-01").mac("02:00:00:00:00:01".parse().expect("a MAC address")))
        .check(&Host::default());
    let config = config.unwrap_or_else(|| panic!("{problems}"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("threads");
    let service = runtime.block_on(async {
        // What Rust's own start of a program does, and this one has not got: whoever hangs up ends
        // nobody.
        let pipe = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::pipe());
        drop(pipe.expect("a handler"));
        Service::builder(config).start().await
    });
    std::mem::forget(service.expect("a service"));
    Site {
        http: SocketAddr::from((server, first + 3)),
        control: netboot_server::control_socket(state.path()),
        _state: state,
        _runtime: runtime,
    }
}

/// The least that is an EFI program: a DOS header that leads to a PE header of x86-64.
fn pe() -> Vec<u8> {
    let mut program = vec![0_u8; 512];
    program[..2].copy_from_slice(b"MZ");
    program[0x3c] = 0x40;
    program[0x40..0x44].copy_from_slice(b"PE\0\0");
    program[0x44..0x46].copy_from_slice(&[0x64, 0x86]);
    program[0x54] = 0xf0;
    program[0x58..0x5a].copy_from_slice(&[0x0b, 0x02]);
    program[0x9c] = 10;
    program
}

/// Sends bytes to where machines ask, from an address that is rarely the same, and gives what is
/// answered.
pub fn to_machines(request: &[u8]) -> Vec<u8> {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let [_, b, c, d] = next.to_be_bytes();
    let from = SocketAddr::from(([127, 1 + b % 200, c, d], 0));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&from.into()).expect("an address");
    // The fuzzer's own alarm may come in between; then it goes on.
    match socket.connect(&site().http.into()) {
        Err(error) if error.kind() == ErrorKind::Interrupted => {}
        connected => connected.expect("a service"),
    }
    exchange(socket.into(), request)
}

/// Sends bytes to the control socket, and gives what is answered.
pub fn to_control(request: &[u8]) -> Vec<u8> {
    let stream = std::os::unix::net::UnixStream::connect(&site().control).expect("a service");
    let limit = Some(Duration::from_millis(50));
    stream.set_read_timeout(limit).expect("a limit");
    let _ = (&stream).write_all(request);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    read(stream)
}

fn exchange(mut stream: std::net::TcpStream, request: &[u8]) -> Vec<u8> {
    let limit = Some(Duration::from_millis(50));
    stream.set_read_timeout(limit).expect("a limit");
    // It may have had enough before the end.
    let _ = stream.write_all(request);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    read(stream)
}

/// To the end, or as far as it comes: events have none.
fn read(mut stream: impl Read) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return answer,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return answer,
        }
    }
}
