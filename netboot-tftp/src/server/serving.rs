//! The listening task: it takes every datagram at the server's port, admits requests and starts
//! their transfers.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::encode::{Direction, encode_error};
use crate::error_code::ErrorCode;
use crate::netascii::TransferMode;
use crate::options::Options;
use crate::packet::{DATA_HEADER_LEN, Packet, RequestView};
use crate::server::event::{Cap, Event};
use crate::server::reading::MAX_ANSWER_LEN;
use crate::server::source::Source;
use crate::server::table::{Admission, Control, Queued, Running, Table};
use crate::server::transfer::{self, Job, Shared};
use crate::udp::{Batch, Datagram};

/// Receives that may fail in a row: an ICMP error of an earlier answer shows up as one, a broken
/// socket as nothing else.
const MAX_RECEIVE_FAILURES: u32 = 100;

/// The listening task's own state.
pub(crate) struct Serving<S> {
    shared: Arc<Shared<S>>,
    table: Table,
    /// Each tells whether its client may ask for the same again.
    tasks: JoinSet<bool>,
    next_id: u64,
}

/// Packets that wait for a transfer of one window or less, in single-port mode.
const MIN_INBOX: usize = 16;

/// Packets that wait for a transfer, however large its windows may be.
const MAX_INBOX: usize = 1024;

impl<S: Source> Serving<S> {
    pub(crate) fn new(shared: Arc<Shared<S>>) -> Self {
        let settings = &shared.settings;
        Self {
            table: Table::new(settings.max_transfers, settings.max_transfers_per_client),
            tasks: JoinSet::new(),
            next_id: 1,
            shared,
        }
    }

    /// Serves until `shutdown` completes; dropped, it takes its transfers with it.
    ///
    /// # Errors
    ///
    /// Where the listening socket fails for good.
    pub(crate) async fn run(mut self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let mut shutdown = pin!(shutdown);
        let mut batch = Batch::new();
        let mut failures = 0_u32;
        loop {
            tokio::select! {
                () = &mut shutdown => return Ok(()),
                Some(ended) = self.tasks.join_next_with_id() => {
                    self.forget(ended);
                }
                received = self.shared.listener.recv(&mut batch) => match received {
                    Ok(()) => {
                        failures = 0;
                        for datagram in batch.datagrams() {
                            if self.lacks_room_for(&datagram) {
                                // Its transfers may be over, and have yet to read that they are.
                                tokio::task::yield_now().await;
                                self.reap();
                            }
                            self.handle(&datagram);
                        }
                    }
                    Err(error) => {
                        self.shared.tell(&Event::System { what: "receive a request", error: &error });
                        failures += 1;
                        if failures >= MAX_RECEIVE_FAILURES {
                            return Err(error);
                        }
                    }
                }
            }
        }
    }

    /// Whether it is a request that would be over a cap.
    fn lacks_room_for(&self, datagram: &Datagram<'_>) -> bool {
        let is_request = matches!(
            Packet::decode(datagram.bytes),
            Ok(Packet::Rrq(_) | Packet::Wrq(_))
        );
        is_request && self.table.is_full_for(datagram.from.ip())
    }

    /// Takes out the transfers that have ended by now.
    fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(ended);
        }
    }

    fn forget(&mut self, ended: Result<(Id, bool), JoinError>) {
        let (task, by_client) = ended.unwrap_or_else(|error| (error.id(), false));
        if let Some((from, ended)) = self.table.remove(task)
            && by_client
            && ended.control.repeated.load(Ordering::Relaxed)
        {
            let (bytes, local) = (&*ended.request, ended.local);
            self.handle(&Datagram { bytes, from, local });
        }
    }

    fn handle(&mut self, datagram: &Datagram<'_>) {
        let client = datagram.from;
        match Packet::decode(datagram.bytes) {
            Ok(Packet::Rrq(request)) => self.handle_request(datagram, Direction::Read, &request),
            Ok(Packet::Wrq(request)) => self.handle_request(datagram, Direction::Write, &request),
            Ok(_) => {
                let limits = self.shared.settings.limits;
                let block = usize::from(limits.max_blksize.max(crate::options::DEFAULT_BLKSIZE));
                // A byte more than the largest block shows that a packet was too long.
                let max_len = (DATA_HEADER_LEN + block + 1).max(MAX_ANSWER_LEN);
                if !self.table.deliver(client, datagram.bytes, max_len) {
                    self.shared.tell(&Event::Stray { client });
                }
            }
            Err(error) => self.shared.tell(&Event::Malformed { client, error }),
        }
    }

    fn handle_request(
        &mut self,
        datagram: &Datagram<'_>,
        direction: Direction,
        request: &RequestView<'_>,
    ) {
        let (client, name) = (datagram.from, request.filename);
        let Some(mode) = TransferMode::from_view(request.mode) else {
            return self.refuse_mode(datagram, name);
        };
        let now = Instant::now();
        match self
            .table
            .admit(now, client, datagram.bytes, &*self.shared.preference)
        {
            Admission::Repeated => self.shared.tell(&Event::Repeated { client, name }),
            Admission::OverCap(cap) => {
                if cap == Cap::TransfersPerClient {
                    self.send_error(
                        datagram,
                        ErrorCode::NOT_DEFINED,
                        "too many transfers at once",
                    );
                }
                self.shared.tell(&Event::OverCap { client, name, cap });
            }
            Admission::New => {
                let control = Arc::new(Control::default());
                let (inbox, outbox) = self.inbox(direction).unzip();
                let job = Job {
                    id: self.next_id,
                    client,
                    local: datagram.local,
                    direction,
                    mode,
                    name: name.into(),
                    asked: Options::from_view(&request.options),
                    control: Arc::clone(&control),
                    inbox: outbox,
                };
                self.next_id += 1;
                let shared = Arc::clone(&self.shared);
                let task = self
                    .tasks
                    .spawn(async move { transfer::run(&shared, job).await });
                let running = Running {
                    request: datagram.bytes.into(),
                    local: datagram.local,
                    task: task.id(),
                    since: now,
                    control,
                    inbox,
                };
                self.table.insert(client, running);
            }
        }
    }

    /// Both ends of a transfer's inbox, in single-port mode: room for a window from a client that
    /// writes, and for a few ACKs from one that reads.
    fn inbox(
        &self,
        direction: Direction,
    ) -> Option<(mpsc::Sender<Queued>, mpsc::Receiver<Queued>)> {
        let settings = &self.shared.settings;
        let packets = match direction {
            Direction::Read => MIN_INBOX,
            Direction::Write => usize::from(settings.limits.max_windowsize),
        };
        let packets = packets.clamp(MIN_INBOX, MAX_INBOX);
        settings.single_port.then(|| mpsc::channel(packets))
    }

    fn refuse_mode(&self, datagram: &Datagram<'_>, name: &[u8]) {
        let (code, message) = (
            ErrorCode::ILLEGAL_OPERATION,
            "unknown transfer mode, use octet or netascii",
        );
        self.send_error(datagram, code, message);
        self.shared.tell(&Event::Refused {
            client: datagram.from,
            name,
            code: Some(code),
            message,
            detail: None,
        });
    }

    fn send_error(&self, datagram: &Datagram<'_>, code: ErrorCode, message: &'static str) {
        let mut buf = [0; 128];
        if let Ok(len) = encode_error(code, message, &mut buf)
            && let Some(packet) = buf.get(..len)
        {
            self.shared
                .listener
                .reply(datagram.from, datagram.local, packet);
        }
    }
}
