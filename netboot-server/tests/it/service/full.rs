//! Full houses: strangers who take all the places there are, and others who get in all the same.

use std::process::Command;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::*;

/// What the server gives connections at each address and port where it may have 256 files open:
/// half of them are kept, a quarter of the rest is for transfers, and HTTP and the API share what
/// is left, two files for each.
const PLACES_OF_256: u8 = 24;

/// A server that may have so many files open.
fn serve_with(site: &Site, files: u32) -> Running {
    let serve = netboot(site.arguments(["serve"]));
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("ulimit -n {files} && exec \"$0\" \"$@\""))
        .arg(serve.get_program())
        .args(serve.get_args());
    Running::serve_by(command)
}

/// The `number`th address of a stranger.
fn stranger(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 4, number)
}

/// A file that no socket holds whole.
fn add_large_file(site: &Site) {
    let kernel = write(site.folder.path(), "k", &crate::support::kernel("big"));
    let initrd = write(site.folder.path(), "i", &vec![7; 64 << 20]);
    let add = [
        "image", "add", "big", "--kernel", &kernel, "--initrd", &initrd,
    ];
    assert_eq!(site.run(add).code, Some(0));
}

/// A connection that asks for the large file and reads no further than its beginning.
fn reads_slowly(site: &Site, from: Ipv4Addr) -> Connection {
    let mut connection = Connection::from(site, from);
    connection.send(b"GET /images/big/initrd HTTP/1.1\r\nHost: x\r\n\r\n");
    connection
}

#[test]
fn strangers_with_all_connections_keep_out_neither_others_nor_the_operator() {
    let site = site();
    add_large_file(&site);
    let mut serving = serve_with(&site, 256);
    let idle: Vec<_> = (1..=6)
        .flat_map(|number| std::iter::repeat_n(stranger(number), 50))
        .map(|from| Connection::from(&site, from))
        .collect();
    let slow: Vec<_> = (7..=9)
        .flat_map(|number| std::iter::repeat_n(stranger(number), 5))
        .map(|from| reads_slowly(&site, from))
        .collect();
    for number in 10..60 {
        assert_eq!(
            get(&site, stranger(number), "/healthz").status,
            200,
            "{number}"
        );
    }
    for command in ["status", "events", "leases"] {
        let done = site.run([command]);
        assert_eq!(done.code, Some(0), "{command}: {}", done.err);
    }
    // The log may leave out such lines.
    let events = site.run(["events"]).out;
    let displaced = "its place went to a client that had none";
    assert!(events.contains(displaced), "{events}");
    assert_eq!(lease(&site, 1).address, NODE);
    assert!(tftp(&site, NODE, b"undionly.kpxe").is_ok());
    drop((idle, slow));
    serving.signal(Signal::SIGTERM);
    assert!(serving.end().success());
    let seen = serving.seen.iter();
    let refusals = seen.filter(|line| line.contains("could be accepted"));
    assert!(refusals.count() <= 1, "{:#?}", serving.seen);
}

#[test]
fn a_target_gets_in_where_every_address_has_one_connection() {
    let site = site();
    add_large_file(&site);
    let _serving = serve_with(&site, 256);
    assert_eq!(lease(&site, 1).address, NODE);
    let mut held: Vec<_> = (1..=PLACES_OF_256)
        .map(|number| reads_slowly(&site, stranger(number)))
        .collect();
    held.iter_mut().for_each(Connection::begun);
    let mut waits = Connection::from(&site, stranger(100));
    waits.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(get(&site, NODE, "/states/node-01.json").status, 200);
    assert!(waits.is_silent());
    held.truncate(1);
    assert_eq!(waits.answer(false).status, 200);
}

/// Something that goes on until it is dropped.
struct Attack {
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Attack {
    /// Goes round and round, and sends what is due.
    fn by(mut round: impl FnMut() + Send + 'static) -> Self {
        let (over, is_over) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let pause = Duration::from_millis(100);
            while is_over.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                round();
            }
        });
        Self {
            over: Some(over),
            thread: Some(thread),
        }
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        self.over.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
#[ignore = "needs 20,000 open files in a process, which root may allow"]
fn six_addresses_of_760_connections_each_stop_nobody() {
    allow_open_files(20_000);
    let site = site();
    add_large_file(&site);
    let _serving = Running::serve(&site);
    let open = |site: &Site, index: usize| {
        let from = stranger(u8::try_from(index / 760).expect("six") + 1);
        match index % 2 {
            0 => Connection::from(site, from),
            _ => reads_slowly(site, from),
        }
    };
    let site = std::sync::Arc::new(site);
    let mut all: Vec<_> = (0..6 * 760).map(|index| open(&site, index)).collect();
    let attacked = std::sync::Arc::clone(&site);
    // Whoever is closed comes again.
    let attack = Attack::by(move || {
        for (index, connection) in all.iter_mut().enumerate() {
            if !connection.is_open() {
                *connection = open(&attacked, index);
            }
        }
    });
    for number in 10..70 {
        let answer = get(&site, stranger(number), "/ipxe-of-nobody.efi");
        assert_eq!(answer.status, 404, "{number}");
        assert_eq!(
            get(&site, stranger(number), "/boot.ipxe").status,
            200,
            "{number}"
        );
    }
    drop(attack);
}

#[test]
#[ignore = "needs 20,000 open files in a process, which root may allow"]
fn sixty_six_addresses_of_16_slow_transfers_each_stop_nobody() {
    allow_open_files(20_000);
    let site = site();
    let mut serving = Running::serve(&site);
    let server = (SERVER, site.ports.tftp);
    let ask = b"\0\x01undionly.kpxe\0octet\0blksize\x008\0";
    let sockets: Vec<_> = (0..66 * 16_u16)
        .map(|index| {
            let from = stranger(u8::try_from(index / 16).expect("66") + 1);
            let socket = UdpSocket::bind((from, 0)).expect("a loopback address");
            socket.set_nonblocking(true).expect("an option");
            socket.send_to(ask, server).expect("a datagram");
            socket
        })
        .collect();
    let mut rounds = 0_u32;
    let attack = Attack::by(move || {
        rounds += 1;
        for socket in &sockets {
            let mut bytes = [0; 64];
            let mut last = None;
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                last = (length >= 4).then_some((bytes, from));
            }
            match last {
                // Eight bytes in four seconds.
                Some((packet, from)) if rounds.is_multiple_of(40) && matches!(packet[1], 3 | 6) => {
                    let block = if packet[1] == 6 {
                        [0, 0]
                    } else {
                        [packet[2], packet[3]]
                    };
                    let _ = socket.send_to(&[0, 4, block[0], block[1]], from);
                }
                // Whoever has no place asks for one.
                None if rounds.is_multiple_of(60) => {
                    let _ = socket.send_to(ask, server);
                }
                _ => {}
            }
        }
    });
    serving.line("its place went to another client");
    for number in 100..130 {
        let program = tftp(&site, stranger(number), b"undionly.kpxe").expect("a program");
        assert_eq!(program.len(), 1400, "{number}");
    }
    drop(attack);
}
