//! One transfer of the server: a [`Sender`], its socket and its file.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::Instant;

use crate::encode::encode_error;
use crate::options::{Agreed, Options};
use crate::packet::{DATA_HEADER_LEN, ErrorCode};
use crate::sender::{Sender, SenderOutput};
use crate::server::content::Reader;
use crate::server::event::{Event, Failure, Transfer};
use crate::server::source::{Content, Refusal, Request, Source};
use crate::server::table::Control;
use crate::server::{Observer, Settings};
use crate::transfer::{Stats, TransferError, Transmit};
use crate::udp::{Listener, MAX_DATAGRAM_LEN, Offload, bind_transfer, receive};

/// What all tasks of a server share.
pub(crate) struct Shared<S> {
    pub(crate) listener: Listener,
    pub(crate) offload: Offload,
    pub(crate) settings: Settings,
    pub(crate) source: S,
    pub(crate) observer: Arc<Observer>,
    pub(crate) buffers: Buffers,
}

/// A request that was admitted.
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) client: SocketAddr,
    pub(crate) local: Option<IpAddr>,
    pub(crate) name: Box<[u8]>,
    pub(crate) asked: Options,
    pub(crate) control: Arc<Control>,
}

/// Buffers for a run of blocks, lent to a transfer while it sends: as many as there are threads that do so,
/// and a few more where sockets are full.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    free: Mutex<Vec<Box<[u8]>>>,
}

impl Buffers {
    /// How many are kept when nobody needs them.
    const KEPT: usize = 8;

    fn lend(&self) -> Box<[u8]> {
        let free = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        free.unwrap_or_else(|| vec![0; MAX_DATAGRAM_LEN].into_boxed_slice())
    }

    fn take_back(&self, buffer: Box<[u8]>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < Self::KEPT {
            free.push(buffer);
        }
    }
}

/// Serves one request from its file to its end.
pub(crate) async fn run<S: Source>(shared: &Shared<S>, job: Job) {
    let request = Request {
        client: job.client,
        local: job.local,
        name: &job.name,
        options: job.asked,
    };
    let opened = shared.source.open(&request).await;
    let content = match opened {
        Ok(content) => content,
        Err(refusal) => return refuse(shared, &job, &refusal),
    };
    let socket = match bind_transfer(job.client, job.local) {
        Ok(socket) => socket,
        Err(error) => {
            let what = "open a socket for a transfer";
            return (shared.observer)(&Event::System {
                what,
                error: &error,
            });
        }
    };
    serve(shared, job, content, &socket).await;
}

fn refuse<S>(shared: &Shared<S>, job: &Job, refusal: &Refusal) {
    if let Some(code) = refusal.code() {
        let mut buf = [0; 512];
        if let Ok(len) = encode_error(code, refusal.message(), &mut buf)
            && let Some(packet) = buf.get(..len)
        {
            shared.listener.reply(job.client, job.local, packet);
        }
    }
    (shared.observer)(&Event::Refused {
        client: job.client,
        name: &job.name,
        code: refusal.code(),
        message: refusal.message(),
        detail: refusal.detail(),
    });
}

async fn serve<S>(shared: &Shared<S>, job: Job, content: Content, socket: &UdpSocket) {
    let size = content.len();
    let agreed = Agreed::by_server(&job.asked, &shared.settings.limits, Some(size));
    let transfer = Transfer {
        id: job.id,
        client: job.client,
        local: job.local,
        name: job.name,
        asked: job.asked,
        agreed,
        size,
    };
    (shared.observer)(&Event::Started {
        transfer: &transfer,
    });
    let mut driver = Driver {
        shared,
        transfer: &transfer,
        control: &job.control,
        socket,
        sender: Sender::reply(Duration::ZERO, agreed, size, &shared.settings.transfer),
        reader: Reader::new(content),
        started: Instant::now(),
        send_error: None,
        read_error: None,
        strangers: 0,
    };
    let (end, stats) = driver.drive().await;
    let (read_error, send_error) = (driver.read_error, driver.send_error);
    let failure = match &end {
        End::Done => {
            return (shared.observer)(&Event::Finished {
                transfer: &transfer,
                stats: &stats,
            });
        }
        End::Failed(TransferError::SizeProbe) => {
            let elapsed = stats.elapsed;
            return (shared.observer)(&Event::SizeProbe {
                transfer: &transfer,
                elapsed,
            });
        }
        End::Superseded => Failure::Superseded,
        End::Failed(error) => match (&read_error, &send_error) {
            (Some(error), _) => Failure::Read(error),
            (None, Some(cause)) if matches!(error, TransferError::TimedOut { .. }) => {
                Failure::Send(cause)
            }
            _ => Failure::Transfer(error),
        },
    };
    (shared.observer)(&Event::Failed {
        transfer: &transfer,
        failure,
        stats: &stats,
    });
}

enum End {
    Done,
    Failed(TransferError),
    Superseded,
}

struct Driver<'a, S> {
    shared: &'a Shared<S>,
    transfer: &'a Transfer,
    control: &'a Control,
    socket: &'a UdpSocket,
    sender: Sender,
    reader: Reader,
    started: Instant,
    /// The last send that failed since something was heard.
    send_error: Option<io::Error>,
    read_error: Option<io::Error>,
    strangers: u64,
}

/// Packets from strangers that are answered by an ERROR, in one transfer.
const MAX_STRANGERS_ANSWERED: u64 = 16;

impl<S> Driver<'_, S> {
    async fn drive(&mut self) -> (End, Stats) {
        loop {
            let mut buffer = self.shared.buffers.lend();
            let turn = self.send_what_is_due(&mut buffer).await;
            self.shared.buffers.take_back(buffer);
            let deadline = match turn {
                Turn::Wait(deadline) => self.started + deadline,
                Turn::End(end, stats) => return (end, stats),
            };
            self.control
                .stalled
                .store(self.sender.is_stalled(), Ordering::Relaxed);
            tokio::select! {
                biased;
                readable = self.socket.readable() => {
                    if let Err(error) = readable {
                        self.send_error = Some(error);
                    }
                    self.take_what_came();
                }
                () = tokio::time::sleep_until(deadline) => {}
                () = self.control.superseded.notified() => {
                    return (End::Superseded, self.sender.stats_at(self.started.elapsed()));
                }
            }
        }
    }

    /// Turns the sender's crank until it waits.
    async fn send_what_is_due(&mut self, buffer: &mut [u8]) -> Turn {
        let segment = usize::from(self.sender.agreed().blksize()) + DATA_HEADER_LEN;
        let room = self
            .shared
            .offload
            .run_len(segment)
            .max(128)
            .min(buffer.len());
        let Some(buffer) = buffer.get_mut(..room) else {
            return Turn::Wait(Duration::ZERO);
        };
        loop {
            let output = match self.sender.poll_output(self.started.elapsed(), buffer) {
                Ok(output) => output,
                Err(error) => {
                    self.read_error = Some(io::Error::other(error));
                    let end = End::Failed(TransferError::Aborted {
                        code: ErrorCode::NOT_DEFINED,
                        message: "internal error",
                    });
                    return Turn::End(end, self.sender.stats_at(self.started.elapsed()));
                }
            };
            match output {
                SenderOutput::Transmit(transmit) => self.send(transmit, buffer).await,
                SenderOutput::Data(run) => match self.reader.fill(&run, buffer) {
                    Ok(()) => self.send(run.transmit(), buffer).await,
                    Err(error) => {
                        self.read_error = Some(error);
                        self.sender
                            .abort(ErrorCode::NOT_DEFINED, "the file cannot be read");
                    }
                },
                SenderOutput::Wait(deadline) => return Turn::Wait(deadline),
                SenderOutput::Done(stats) => return Turn::End(End::Done, stats),
                SenderOutput::Failed(error, stats) => return Turn::End(End::Failed(error), stats),
            }
        }
    }

    /// A send that fails is a packet lost: it is sent again, until the sender gives up and this error is
    /// the reason.
    async fn send(&mut self, transmit: Transmit, buffer: &[u8]) {
        let bytes = buffer.get(..transmit.len).unwrap_or(buffer);
        let sent = self
            .shared
            .offload
            .send(
                self.socket,
                self.transfer.client,
                bytes,
                transmit.segment_size,
            )
            .await;
        match sent {
            Ok(false) => {}
            Ok(true) => {
                let (transfer, datagram_len) = (self.transfer, transmit.segment_size);
                (self.shared.observer)(&Event::OffloadRefused {
                    transfer,
                    datagram_len,
                });
            }
            Err(error) => self.send_error = Some(error),
        }
    }

    fn take_what_came(&mut self) {
        // More than an ACK or an ERROR cannot be meant for a sender.
        let mut buf = [0; 1024];
        while let Some((bytes, from)) = receive(self.socket, &mut buf) {
            if from == self.transfer.client {
                self.send_error = None;
                self.sender.handle_input(self.started.elapsed(), bytes);
            } else {
                self.answer_stranger(from);
            }
        }
    }

    /// RFC 1350 §4: ERROR 5 to a wrong TID, and the transfer goes on.
    fn answer_stranger(&mut self, from: SocketAddr) {
        self.strangers += 1;
        if self.strangers == 1 {
            let transfer = self.transfer;
            (self.shared.observer)(&Event::WrongTid { transfer, from });
        }
        if self.strangers <= MAX_STRANGERS_ANSWERED {
            let mut buf = [0; 64];
            if let Ok(len) = encode_error(ErrorCode::UNKNOWN_TID, "unknown transfer id", &mut buf)
                && let Some(packet) = buf.get(..len)
            {
                // Whoever sent it is no part of the transfer: whether the answer arrives does not matter.
                let _unheard = self.socket.try_send_to(packet, from);
            }
        }
    }
}

enum Turn {
    Wait(Duration),
    End(End, Stats),
}
