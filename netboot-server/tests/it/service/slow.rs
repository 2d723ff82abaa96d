//! Readers that take minutes, over Ethernet between namespaces: Linux gives them larger windows than
//! over loopback, which stay shut for long.

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use netboot_server::lab::Namespace;

use super::*;

const HERE: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 1);
/// The client whose cable is pulled.
const PULLED: Ipv4Addr = Ipv4Addr::new(10, 79, 0, 2);

/// The server's host, and two links from it to clients.
fn hosts() -> [Namespace; 3] {
    let [server, clients, pulled] =
        [(); 3].map(|()| Namespace::new().expect("a network namespace; this test needs root"));
    server.link("s0", &clients, "c0").expect("a link");
    server.link("s1", &pulled, "c1").expect("a link");
    for (namespace, words) in [
        (&server, "addr add 10.78.0.1/16 dev s0"),
        (&server, "addr add 10.79.0.1/16 dev s1"),
        (&server, "link set s0 up"),
        (&server, "link set s1 up"),
        (&clients, "addr add 10.78.0.2/16 dev c0"),
        (&clients, "link set c0 up"),
        (&pulled, "addr add 10.79.0.2/16 dev c1"),
        (&pulled, "link set c1 up"),
        (&pulled, "route add default via 10.79.0.1"),
    ] {
        namespace.ip(words).expect("ip of iproute2");
    }
    [server, clients, pulled]
}

/// A connection that has asked for a file.
fn ask(from: &Namespace, port: u16, file: &str) -> TcpStream {
    let request = format!("GET /{file} HTTP/1.1\r\nHost: {HERE}\r\nConnection: close\r\n\r\n");
    from.run(move || {
        let mut stream = TcpStream::connect((HERE, port)).expect("a server that listens");
        stream.write_all(request.as_bytes()).expect("a server");
        stream
    })
}

/// All that comes until the connection ends in whatever way, read at this pace.
fn read(mut stream: TcpStream, bytes_a_second: u16) -> Vec<u8> {
    let (_open, never): (Sender<()>, _) = mpsc::channel();
    let mut all = Vec::new();
    let mut piece = vec![0; usize::from(bytes_a_second)];
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        all.extend_from_slice(&piece[..length]);
        let pause = Duration::from_secs_f64(length as f64 / f64::from(bytes_a_second));
        assert_eq!(never.recv_timeout(pause), Err(RecvTimeoutError::Timeout));
    }
    all
}

#[test]
#[ignore = "needs root, and takes twelve minutes; the soak runs it"]
fn slow_readers_that_answer_are_served_for_minutes_and_others_are_cut() {
    let [server, clients, pulled] = hosts();
    let site = site();
    let network = json!({
        "ip": HERE, "interface": "s0", "subnet": "10.78.0.0/16",
        "dhcp_range": { "start": "10.78.1.1", "end": "10.78.1.9" },
    });
    site.configure(&json!([]), json!({ "server": network }));
    let whole: Vec<u8> = (0..250_000_u32).flat_map(u32::to_le_bytes).collect();
    let folder = site.state().join("tftp");
    write(&folder, "program", &whole);
    write(&folder, "large", &vec![7; 64 << 20]);
    let serve = netboot(site.arguments(["serve"]));
    let mut serving = server.run(move || Running::serve_by(serve));

    let port = site.ports.http;
    let stops = ask(&clients, port, "large");
    let dead = ask(&pulled, port, "large");
    let mut loads = ask(&pulled, port, "large");
    loads.set_read_timeout(Some(PATIENCE)).expect("a time");
    loads.read_exact(&mut vec![0; 8 << 20]).expect("megabytes");
    let loads = std::thread::spawn(move || read(loads, u16::MAX));
    pulled.ip("link set c1 down").expect("ip of iproute2");
    std::thread::scope(|scope| {
        let reader = |file, bytes_a_second| {
            let stream = ask(&clients, port, file);
            (
                bytes_a_second,
                scope.spawn(move || read(stream, bytes_a_second)),
            )
        };
        let served = [1500, 4000, 8000].map(|pace| reader("program", pace));
        let cut = [300, 600].map(|pace| reader("large", pace));
        for (pace, read) in served {
            let got = read.join().expect("a reader");
            let body = got.ends_with(&whole);
            assert!(body, "{pace} B/s: {} bytes: {:#?}", got.len(), serving.seen);
        }
        for (_, read) in cut {
            read.join().expect("one that was cut");
        }
    });
    // It has answered all that it was asked, and read nothing.
    let mut rest = Vec::new();
    let end = stops.take(1 << 20).read_to_end(&mut rest);
    assert!(end.is_err(), "{end:?}: it was not reset");
    serving.has_said("");
    let ended = format!("{PULLED} /large: 200");
    let ended = serving
        .seen
        .iter()
        .filter(|line| line.contains(&ended) && line.contains("cut off"));
    assert_eq!(ended.count(), 2, "{:#?}", serving.seen);
    drop(dead);
    loads.join().expect("one that heard nothing more");
}
