//! Leases on their way to the disk, and ACKs behind them, as the system sees both.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};

use netboot_dhcp::MacAddr;
use netboot_dhcp::value::{MessageType, key};
use netboot_dhcp::wire::MessageView;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::client::{client_socket, machine, message};
use crate::support::traced::Traced;
use crate::support::{PATIENCE, SERVER, Site, wait_until};

/// More than the server reads at a time, and fewer than there are addresses.
const MACHINES: usize = 100;

/// Takes the answers of this type to all machines.
fn answers(socket: &UdpSocket, kind: MessageType) -> BTreeMap<MacAddr, Ipv4Addr> {
    let mut bytes = [0; 2048];
    let mut take = || {
        let length = socket.recv(&mut bytes).expect("an answer");
        let answer = MessageView::decode(&bytes[..length]).expect("a message");
        assert_eq!(answer.read(key::MESSAGE_TYPE).expect("a type"), Some(kind));
        let machine = answer.hardware().mac().expect("a MAC address");
        (machine, answer.yiaddr())
    };
    (0..MACHINES).map(|_| take()).collect()
}

/// Stops the server with all of its threads.
fn stop(server: &Traced) {
    server.signal(Signal::SIGSTOP);
    let threads = format!("/proc/{}/task", server.pid());
    wait_until("every thread is stopped", || {
        let mut threads = std::fs::read_dir(&threads).expect("a process");
        threads.all(|thread| {
            let status = thread.expect("a thread").path().join("status");
            let status = std::fs::read_to_string(status).unwrap_or_default();
            status.contains("State:\tT") || status.contains("State:\tt")
        })
    });
}

/// What a trace tells behind the moment when the requests were there to be read.
#[derive(Debug, Default)]
struct Account {
    /// Requests that were read.
    read: usize,
    flushes: usize,
    /// Requests that had been read when the flush under way was begun.
    in_flush: usize,
    /// Requests that had been read when the last flush that is done was begun.
    flushed: usize,
    /// The same when what is being sent was begun.
    to_send: usize,
    /// ACKs that were sent.
    sent: usize,
}

impl Account {
    /// Goes through it up to the last ACK: each must be behind a flush that its request can be in.
    fn of(trace: &str) -> Self {
        let mut account = Self::default();
        let (_, calls) = trace.split_once("--- SIGCONT").expect("it went on");
        for line in calls.lines().skip(1) {
            // `12 call(… <unfinished ...>` and `12 <... call resumed>…) = 3`, or both in one.
            let (_thread, line) = line.split_once(' ').expect("what a thread did");
            let line = line.trim_start();
            let begun = line.split_once('(').map(|(call, _)| call);
            let resumed = line.strip_prefix("<... ");
            let call = resumed.and_then(|line| Some(line.split_once(' ')?.0));
            if call.is_none() {
                account.begin(begun.unwrap_or_default());
            }
            if let Some((_, result)) = line.rsplit_once(" = ") {
                let call = call.or(begun).unwrap_or_default();
                // Else it failed, as in `-1 EAGAIN (…)`.
                account.finish(call, result.parse().unwrap_or_default());
            }
            if account.sent == MACHINES {
                break;
            }
        }
        account
    }

    fn begin(&mut self, call: &str) {
        match call {
            "fdatasync" | "fsync" => self.in_flush = self.read,
            "sendmmsg" => self.to_send = self.flushed,
            _ => {}
        }
    }

    fn finish(&mut self, call: &str, result: usize) {
        match call {
            "recvmmsg" => self.read += result,
            "fdatasync" | "fsync" => {
                self.flushes += 1;
                self.flushed = self.in_flush;
            }
            "sendmmsg" => {
                self.sent += result;
                assert!(self.sent <= self.to_send, "{self:?}");
            }
            _ => {}
        }
    }
}

#[test]
#[ignore = "needs strace"]
fn leases_of_many_machines_are_flushed_together_and_no_ack_is_before_its_flush() {
    let site = Site::new(&json!([]));
    let calls = "--trace=execve,recvmmsg,sendmmsg,fdatasync,fsync";
    let server = Traced::serve(&site, &[calls]);
    let socket = client_socket(&site);
    socket.set_read_timeout(Some(PATIENCE)).expect("a time");
    let send = |kind, machine, address| {
        let message = message(kind, machine, address);
        socket
            .send_to(&message, (SERVER, site.ports.dhcp))
            .expect("a datagram");
    };
    for number in 0..MACHINES {
        let number = u32::try_from(number).expect("few");
        send(MessageType::DISCOVER, machine(number), None);
    }
    let offered = answers(&socket, MessageType::OFFER);
    stop(&server);
    for (machine, address) in &offered {
        send(MessageType::REQUEST, *machine, Some(*address));
    }
    server.signal(Signal::SIGCONT);
    let lent = answers(&socket, MessageType::ACK);
    assert_eq!(lent, offered);
    assert_eq!(lent.len(), MACHINES, "each has asked and was answered");
    let account = Account::of(&server.end());
    assert_eq!(account.sent, MACHINES, "{account:?}");
    assert!(account.flushes <= MACHINES / 10, "{account:?}");
}
