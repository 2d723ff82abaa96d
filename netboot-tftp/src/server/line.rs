//! A transfer's way to its client: a socket of its own, or the listening one in single-port mode.

use std::future::{pending, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::UdpSocket;
use tokio::sync::mpsc::Receiver as Inbox;

use crate::encode::encode_error;
use crate::error_code::ErrorCode;
use crate::server::event::{Event, Transfer};
use crate::server::table::Queued;
use crate::server::transfer::Shared;
use crate::transfer::Transmit;
use crate::udp::{Route, await_next, bind_transfer, receive};

/// Where a transfer's packets come and go.
#[derive(Debug)]
pub(crate) enum Port {
    /// RFC 1350 §4: a port of its own.
    Own(UdpSocket),
    /// The server's port; what the listener takes for this transfer comes through the inbox.
    Listening {
        inbox: Inbox<Queued>,
        /// Taken out of the inbox and not looked at yet.
        waiting: Option<Queued>,
    },
}

impl Port {
    /// A socket for this client, or the inbox if there is one.
    pub(crate) fn open(
        client: SocketAddr,
        local: Option<IpAddr>,
        inbox: Option<Inbox<Queued>>,
    ) -> io::Result<Self> {
        Ok(match inbox {
            Some(inbox) => Self::Listening {
                inbox,
                waiting: None,
            },
            None => Self::Own(bind_transfer(client, local)?),
        })
    }
}

/// A transfer's port and what has happened there.
pub(crate) struct Line<'a, S> {
    shared: &'a Shared<S>,
    transfer: &'a Transfer,
    port: Port,
    strangers: u64,
    /// Whether the client has sent anything since its request.
    pub(crate) heard: bool,
    /// The last send that failed since something was heard.
    pub(crate) send_error: Option<io::Error>,
}

/// Receive calls in a row, whatever still waits: a flood at one port must not hold up the other
/// transfers.
const MAX_CALLS: usize = 32;

/// Packets from strangers that are answered by an ERROR, in one transfer.
const MAX_STRANGERS_ANSWERED: u64 = 16;

impl<'a, S> Line<'a, S> {
    pub(crate) fn new(shared: &'a Shared<S>, transfer: &'a Transfer, port: Port) -> Self {
        Self {
            shared,
            transfer,
            port,
            strangers: 0,
            heard: false,
            send_error: None,
        }
    }

    /// Waits until [`Line::take`] may have something; safe to drop at any time.
    pub(crate) async fn ready(&mut self) {
        match &mut self.port {
            Port::Own(socket) => {
                if let Err(error) = poll_fn(|cx| socket.poll_recv_ready(cx)).await {
                    self.send_error = Some(error);
                }
            }
            Port::Listening { inbox, waiting } => {
                if waiting.is_none() {
                    *waiting = inbox.recv().await;
                }
                // The listener has given the inbox up for that of another transfer, whose request
                // also ends this one.
                if waiting.is_none() {
                    pending::<()>().await;
                }
            }
        }
    }

    /// The next packet of the client that is there, if any.
    pub(crate) fn take<'b>(&mut self, buf: &'b mut [u8]) -> Option<&'b [u8]> {
        let len = loop {
            match &mut self.port {
                Port::Own(socket) => {
                    let (bytes, from) = receive(socket, buf)?;
                    if from == self.transfer.client {
                        break bytes.len();
                    }
                    self.answer_stranger(from);
                }
                Port::Listening { inbox, waiting } => {
                    let packet = waiting.take().or_else(|| inbox.try_recv().ok())?;
                    let len = packet.len().min(buf.len());
                    for (place, byte) in buf.iter_mut().zip(&packet) {
                        *place = *byte;
                    }
                    break len;
                }
            }
        };
        self.heard = true;
        self.send_error = None;
        buf.get(..len)
    }

    /// Hands over the packets of the client that are there, or a good part of them: then
    /// [`Line::ready`] says so.
    pub(crate) fn take_all(&mut self, buf: &mut [u8], mut each: impl FnMut(&[u8])) {
        for _ in 0..MAX_CALLS {
            if let Port::Own(socket) = &self.port {
                let (packets, more) = self.shared.offload.receive_pair(socket, buf);
                for (packet, from) in packets {
                    if from == self.transfer.client {
                        self.heard = true;
                        self.send_error = None;
                        each(packet);
                    } else {
                        self.answer_stranger(from);
                    }
                }
                if !more {
                    return;
                }
            } else if let Some(packet) = self.take(buf) {
                each(packet);
            } else {
                return;
            }
        }
    }

    /// Hands over packets of the client until one was of use. What is behind that one shows when
    /// the next one comes, so whoever waits for none looks again when its timer rings.
    ///
    /// In lockstep, where one is expected and it is there, this saves the call which would be told
    /// that there is no other.
    pub(crate) fn take_until(&mut self, buf: &mut [u8], mut was_of_use: impl FnMut(&[u8]) -> bool) {
        for _ in 0..MAX_CALLS {
            let Some(packet) = self.take(buf) else {
                return;
            };
            if was_of_use(packet) {
                if let Port::Own(socket) = &self.port {
                    await_next(socket);
                }
                return;
            }
        }
    }

    /// Sends what lies in `buffer`. A send that fails is a packet lost: it is sent again, until the
    /// end that counts the retries gives up and this error is the reason.
    pub(crate) async fn send(&mut self, transmit: Transmit, buffer: &[u8]) {
        let bytes = buffer.get(..transmit.len).unwrap_or(buffer);
        let (offload, segment) = (&self.shared.offload, transmit.segment_size);
        let route = |from| Route {
            to: self.transfer.client,
            from,
        };
        let sent = match &self.port {
            Port::Own(socket) => offload.send(socket, route(None), bytes, segment).await,
            Port::Listening { .. } => {
                let route = route(self.transfer.local);
                let listener = &self.shared.listener;
                listener.send(offload, route, bytes, segment).await
            }
        };
        match sent {
            Ok(false) => {}
            Ok(true) => {
                let (transfer, datagram_len) = (self.transfer, segment);
                self.shared.tell(&Event::OffloadRefused {
                    transfer,
                    datagram_len,
                });
            }
            Err(error) => self.send_error = Some(error),
        }
    }

    /// RFC 1350 §4: ERROR 5 to a wrong TID, and the transfer goes on.
    fn answer_stranger(&mut self, from: SocketAddr) {
        self.strangers += 1;
        if self.strangers == 1 {
            let transfer = self.transfer;
            self.shared.tell(&Event::WrongTid { transfer, from });
        }
        if self.strangers <= MAX_STRANGERS_ANSWERED
            && let Port::Own(socket) = &self.port
        {
            let mut buf = [0; 64];
            if let Ok(len) = encode_error(ErrorCode::UNKNOWN_TID, "unknown transfer id", &mut buf)
                && let Some(packet) = buf.get(..len)
            {
                // Whoever sent it is no part of the transfer: whether the answer arrives does not
                // matter.
                let _unheard = socket.try_send_to(packet, from);
            }
        }
    }
}
