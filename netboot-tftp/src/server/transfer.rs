//! One transfer of the server, from its request to its last event.
//!
//! Which of the two ends of the protocol the server is, [`reading`](super::reading) or
//! [`writing`](super::writing), is decided here by the request.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::Receiver as Inbox;

use crate::agreed::{Agreed, Limits};
use crate::content::{Content, Reader};
use crate::encode::{Direction, encode_error};
use crate::netascii::TransferMode;
use crate::options::Options;
use crate::packet::DATA_HEADER_LEN;
use crate::receiver::Receiver;
use crate::sender::Sender;
use crate::server::counters::Counters;
use crate::server::event::{Event, Failure, Transfer};
use crate::server::line::{Line, Port};
use crate::server::sharing::Sharing;
use crate::server::source::{Refusal, Request, Source};
use crate::server::table::{Control, Queued};
use crate::server::upload::Upload;
use crate::server::{Observer, Preference, Settings, reading, writing};
use crate::transfer::{Stats, TransferError, TransferSettings};
use crate::udp::{Listener, MAX_DATAGRAM_LEN, Offload, unfragmented_len};

/// What all tasks of a server share.
pub(crate) struct Shared<S> {
    pub(crate) listener: Listener,
    pub(crate) offload: Offload,
    pub(crate) settings: Settings,
    pub(crate) source: S,
    pub(crate) observer: Arc<Observer>,
    pub(crate) preference: Arc<Preference>,
    pub(crate) counters: Counters,
    pub(crate) buffers: Buffers,
    pub(crate) sharing: Sharing,
}

impl<S> Shared<S> {
    /// Counts an event and shows it to the observer.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.counters.count(event);
        (self.observer)(event);
    }
}

/// A request that was admitted.
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) client: SocketAddr,
    pub(crate) local: Option<IpAddr>,
    pub(crate) direction: Direction,
    pub(crate) mode: TransferMode,
    pub(crate) name: Box<[u8]>,
    pub(crate) asked: Options,
    pub(crate) control: Arc<Control>,
    /// Where packets come from in single-port mode.
    pub(crate) inbox: Option<Inbox<Queued>>,
}

/// Buffers for a run of blocks, lent to a transfer while it sends: as many as there are threads
/// that do so, and a few more where sockets are full.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    free: Mutex<Vec<Box<[u8]>>>,
}

impl Buffers {
    /// How many are kept when nobody needs them.
    const KEPT: usize = 8;

    pub(crate) fn lend(&self) -> Box<[u8]> {
        let free = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        free.unwrap_or_else(|| vec![0; MAX_DATAGRAM_LEN].into_boxed_slice())
    }

    pub(crate) fn take_back(&self, buffer: Box<[u8]>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < Self::KEPT {
            free.push(buffer);
        }
    }
}

/// How a transfer came to its end.
pub(crate) enum End {
    Done,
    Failed(TransferError),
    /// The file could not be read or written; the client has been told.
    File(io::Error),
    Superseded,
    /// Another client's request took its place.
    Displaced,
}

impl End {
    /// How the listener has ended a transfer, if that is why it rang.
    pub(crate) fn by_listener(control: &Control) -> Option<Self> {
        if control.displaced.load(Ordering::Relaxed) {
            Some(Self::Displaced)
        } else {
            let superseded = control.superseded.load(Ordering::Relaxed);
            superseded.then_some(Self::Superseded)
        }
    }
}

/// What a transfer does when it has sent what is due.
pub(crate) enum Next {
    /// It waits for the client, until then.
    Wait(Duration),
    End(End, Stats),
}

/// What a request has opened.
enum Opened {
    Content(Content),
    Upload(Upload),
}

/// Serves one request from its file to its end, and says whether it was the client's end, too: it
/// may then ask for the same again.
pub(crate) async fn run<S: Source>(shared: &Shared<S>, mut job: Job) -> bool {
    let request = Request {
        client: job.client,
        local: job.local,
        name: &job.name,
        mode: job.mode,
        options: job.asked,
    };
    let opened = match job.direction {
        Direction::Read => shared.source.open(&request).await.map(Opened::Content),
        Direction::Write => shared.source.create(&request).await.map(Opened::Upload),
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(refusal) => {
            refuse(shared, &job, &refusal);
            return false;
        }
    };
    let settings = shared.settings.transfer.clone();
    let settings = shared.source.patience(&request, settings);
    match Port::open(job.client, job.local, job.inbox.take()) {
        Ok(port) => serve(shared, &settings, job, opened, port).await,
        Err(error) => {
            let what = "open a socket for a transfer";
            shared.tell(&Event::System {
                what,
                error: &error,
            });
            false
        }
    }
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
    shared.tell(&Event::Refused {
        client: job.client,
        name: &job.name,
        code: refusal.code(),
        message: refusal.message(),
        detail: refusal.detail(),
    });
}

async fn serve<S>(
    shared: &Shared<S>,
    settings: &TransferSettings,
    job: Job,
    opened: Opened,
    port: Port,
) -> bool {
    // What the client is told to be the size is that of the bytes on the wire.
    let asked = job.asked.in_mode(job.mode);
    let limits = limits(shared, &job, &port);
    let told = match &opened {
        Opened::Content(content) => Some(content.len()),
        Opened::Upload(_) => None,
    };
    let agreed = Agreed::by_server(&asked, &limits, told);
    let transfer = Transfer {
        id: job.id,
        client: job.client,
        local: job.local,
        direction: job.direction,
        mode: job.mode,
        name: job.name,
        asked: job.asked,
        agreed,
        size: told.or(job.asked.tsize).unwrap_or_default(),
    };
    shared.tell(&Event::Started {
        transfer: &transfer,
    });
    let mut line = Line::new(shared, &transfer, port);
    let control = &*job.control;
    let (end, stats) = match opened {
        Opened::Content(content) => {
            let (content, _share) = shared.sharing.join(content);
            let reader = Reader::new(content, job.mode);
            let mut sender = Sender::reply(Duration::ZERO, agreed, reader.wire_len(), settings);
            sender.set_available(reader.available());
            reading::run(shared, &mut line, control, sender, reader).await
        }
        Opened::Upload(upload) => {
            let receiver = Receiver::reply(Duration::ZERO, agreed, upload.limit(), settings);
            writing::run(shared, &mut line, control, receiver, upload, job.mode).await
        }
    };
    let (heard, send_error) = (line.heard, line.send_error);
    report(shared, &transfer, &end, &stats, heard, send_error);
    matches!(end, End::Done | End::Failed(_))
}

fn report<S>(
    shared: &Shared<S>,
    transfer: &Transfer,
    end: &End,
    stats: &Stats,
    heard: bool,
    send_error: Option<io::Error>,
) {
    let failure = match end {
        End::Done => return shared.tell(&Event::Finished { transfer, stats }),
        End::Failed(TransferError::SizeProbe) => {
            let elapsed = stats.elapsed;
            return shared.tell(&Event::SizeProbe { transfer, elapsed });
        }
        End::Failed(TransferError::TimedOut { all_sent: true, .. })
            if heard && send_error.is_none() =>
        {
            return shared.tell(&Event::Unconfirmed { transfer, stats });
        }
        End::Superseded => Failure::Superseded,
        End::Displaced => Failure::Displaced,
        End::File(error) => match transfer.direction {
            Direction::Read => Failure::Read(error),
            Direction::Write => Failure::Write(error),
        },
        End::Failed(error) => match &send_error {
            Some(cause) if matches!(error, TransferError::TimedOut { .. }) => Failure::Send(cause),
            _ => Failure::Transfer(error),
        },
    };
    shared.tell(&Event::Failed {
        transfer,
        failure,
        stats,
    });
}

/// The largest UDP payload that is sent unfragmented where the system does not know the MTU: an
/// Ethernet frame of 1500 bytes after the headers of IPv6.
const PAYLOAD_OF_ETHERNET: usize = 1452;

/// The server's limits, and the MTU where blocks leave from the listening socket, which may not be
/// fragmented.
fn limits<S>(shared: &Shared<S>, job: &Job, port: &Port) -> Limits {
    let limits = shared.settings.limits;
    let asked = job.asked.blksize.unwrap_or_default();
    // What RFC 1350 has for a block fits any link.
    let unbounded = matches!(port, Port::Own(_)) || job.direction == Direction::Write;
    if unbounded || asked <= crate::options::DEFAULT_BLKSIZE {
        return limits;
    }
    let payload = unfragmented_len(job.client, job.local).unwrap_or(PAYLOAD_OF_ETHERNET);
    let block = u16::try_from(payload.saturating_sub(DATA_HEADER_LEN)).unwrap_or(u16::MAX);
    Limits {
        max_blksize: limits.max_blksize.min(block),
        ..limits
    }
}
