//! TFTP as the configuration has it: what is agreed to, and how many transfers there are at once.

use super::*;

/// The default of `tftp.max_transfers`.
const MACHINES: u16 = 4096;
/// What README and ARCHITECTURE state that a transfer takes, on average.
const OF_A_TRANSFER_KB: u64 = 8;

/// A machine that loads a file by RFC 1350, each at an address of its own.
struct Loading {
    socket: UdpSocket,
    server: SocketAddr,
    file: Vec<u8>,
    block: u16,
}

impl Loading {
    fn begin(number: u16, site: &Site) -> Self {
        let [high, low] = number.to_be_bytes();
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 1, high, low), 0)).expect("loopback");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time");
        let server = SocketAddr::from((SERVER, site.ports.tftp));
        let request = b"\0\x01undionly.kpxe\0octet\0";
        socket.send_to(request, server).expect("a datagram");
        let (file, block) = (Vec::new(), 0);
        Self {
            socket,
            server,
            file,
            block,
        }
    }

    /// Takes the next block; whether it was the last.
    fn take(&mut self) -> bool {
        loop {
            let mut packet = [0; 1024];
            let (length, server) = self.socket.recv_from(&mut packet).expect("a block");
            let (head, data) = packet[..length].split_at(4);
            assert_eq!(head[..2], [0, 3], "{packet:?}");
            self.server = server;
            // What was sent again has been taken already.
            if u16::from_be_bytes([head[2], head[3]]) == self.block + 1 {
                self.block += 1;
                self.file.extend(data);
                return data.len() < 512;
            }
        }
    }

    fn acknowledge(&self) {
        let [high, low] = self.block.to_be_bytes();
        let ack = [0, 4, high, low];
        self.socket.send_to(&ack, self.server).expect("a datagram");
    }
}

/// What a process has in memory at most, in KiB.
fn most_memory_kb(serving: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", serving.child.id()));
    let status = status.expect("a process that runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kb.and_then(|kb| kb.parse().ok()).expect("a number")
}

#[test]
#[ignore = "needs 20,000 open files in a process, which root may allow"]
fn a_machine_at_every_place_loads_by_tftp_within_the_memory_that_is_stated() {
    allow_open_files(20_000);
    let site = site();
    // Whose connections would have a part of the files.
    site.configure(&targets(), json!({ "admin_listen": "off" }));
    let serving = Running::serve(&site);
    assert_eq!(
        tftp(&site, STRANGER, b"undionly.kpxe").map(|it| it.len()),
        Ok(1400)
    );
    let before = most_memory_kb(&serving);
    let mut machines: Vec<_> = (1..=MACHINES)
        .map(|number| {
            let mut machine = Loading::begin(number, &site);
            assert!(!machine.take());
            machine.acknowledge();
            machine
        })
        .collect();
    // All of them have the second block in front of them, and no transfer is over.
    for machine in &mut machines {
        assert!(!machine.take());
    }
    let most = most_memory_kb(&serving);
    for machine in &mut machines {
        machine.acknowledge();
        assert!(machine.take());
        machine.acknowledge();
        assert_eq!(machine.file, b"a boot program".repeat(100));
    }
    println!("{most} KiB with {MACHINES} transfers at once, {before} KiB before them");
    let stated = OF_A_TRANSFER_KB * u64::from(MACHINES);
    assert!(most - before < stated, "{most} {before}");
}

/// RFC 2347 has the form of the option acknowledgement, RFC 2348 and RFC 7440 the two options, and
/// RFC 1350 section 4 the port that a transfer has by default.
#[test]
fn blocks_windows_ports_and_transfers_of_one_client_are_as_the_configuration_says() {
    let site = site();
    let tftp = json!({
        "max_blksize": 1024, "max_windowsize": 4, "max_transfers_per_client": 1,
        "single_port": true,
    });
    site.configure(&targets(), json!({ "tftp": tftp }));
    let mut serving = Running::serve(&site);
    let ask = || {
        let socket = UdpSocket::bind((STRANGER, 0)).expect("loopback");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time");
        let request = b"\0\x01undionly.kpxe\0octet\0blksize\x008192\0windowsize\x0064\0";
        let server = (SERVER, site.ports.tftp);
        socket.send_to(request, server).expect("a datagram");
        let mut packet = vec![0; 2048];
        let (length, from) = socket.recv_from(&mut packet).expect("an answer");
        packet.truncate(length);
        assert_eq!(from, SocketAddr::from(server));
        (socket, packet)
    };
    let (_first, agreed) = ask();
    assert_eq!(agreed, b"\0\x06blksize\x001024\0windowsize\x004\0");
    let (_second, refused) = ask();
    assert_eq!(refused[..2], [0, 5], "{refused:?}");
    serving.line("`tftp.max_transfers_per_client` says how many");

    site.configure(&targets(), json!({ "tftp": { "max_blksize": 512 } }));
    let reload = site.run(["reload"]);
    assert_eq!(reload.code, Some(1));
    assert!(reload.err.contains("restart the service"), "{}", reload.err);
}
