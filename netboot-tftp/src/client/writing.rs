//! One write: a [`Sender`] on its link.

use std::io;

use crate::client::link::Link;
use crate::client::{ClientError, Completed, Progress};
use crate::content::{Content, Reader};
use crate::encode::EncodeRequestError;
use crate::error_code::ErrorCode;
use crate::netascii::TransferMode;
use crate::sender::{Sender, SenderOutput};
use crate::udp::{MAX_DATAGRAM_LEN, Offload, Route};

/// What the server is told of a content that fails.
const UNREADABLE: &str = "the file cannot be read";

/// Sends the content to its end.
pub(crate) async fn run(
    mut link: Link,
    mut sender: Sender,
    content: Content,
    mode: TransferMode,
    mut progress: impl FnMut(Progress),
) -> Result<Completed, ClientError> {
    let failed = |what| move |error| ClientError::Socket { what, error };
    let offload = Offload::new().map_err(failed("set up the socket"))?;
    let mut reader = Reader::new(content, mode);
    let size = reader.wire_len();
    sender.set_available(reader.available());
    let mut buf = vec![0; MAX_DATAGRAM_LEN];
    let mut unreadable: Option<io::Error> = None;
    loop {
        let output = sender
            .poll_output(link.clock.now(), &mut buf)
            .map_err(EncodeRequestError::from)?;
        let transmit = match output {
            SenderOutput::Transmit(transmit) => transmit,
            SenderOutput::Data(run) => match reader.fill(&run, &mut buf, sender.agreed()) {
                Ok(len) if len < run.len => sender.end_of_file(&run, len).transmit(),
                Ok(_) => run.transmit(),
                Err(error) => {
                    unreadable = Some(error);
                    sender.abort(ErrorCode::NOT_DEFINED, UNREADABLE);
                    continue;
                }
            },
            SenderOutput::Wait(deadline) => {
                let deadline = tokio::time::sleep_until(link.clock.at(deadline));
                tokio::select! {
                    biased;
                    ready = link.socket.readable() => {
                        ready.map_err(failed("receive from the server"))?;
                        take_what_came(&mut link, &mut sender);
                        let bytes = sender.stats_at(link.clock.now()).bytes;
                        progress(Progress { bytes, size });
                    }
                    () = deadline => {}
                    read = reader.read(sender.window()) => match read {
                        Ok(()) => sender.set_available(reader.available()),
                        Err(error) => {
                            unreadable = Some(error);
                            sender.abort(ErrorCode::NOT_DEFINED, UNREADABLE);
                        }
                    }
                }
                continue;
            }
            SenderOutput::Done(stats) => {
                return Ok(Completed {
                    stats,
                    agreed: *sender.agreed(),
                    server: link.peer(),
                });
            }
            SenderOutput::Failed(error, _) => {
                return Err(unreadable.map_or(error.into(), ClientError::Read));
            }
        };
        let bytes = buf.get(..transmit.len).unwrap_or_default();
        let route = Route {
            to: link.peer(),
            from: None,
        };
        let sent = offload.send(&link.socket, route, bytes, transmit.segment_size);
        sent.await.map_err(failed("send to the server"))?;
    }
}

fn take_what_came(link: &mut Link, sender: &mut Sender) {
    // More than an ACK, an OACK or an ERROR cannot be meant for a sender.
    let mut buf = [0; 1024];
    // An error is that of an earlier send (an ICMP message): the packet counts as lost.
    while let Ok((len, from)) = link.socket.try_recv_from(&mut buf) {
        if !link.admits(from) {
            continue;
        }
        let now = link.clock.now();
        let ignored = sender.stats_at(now).ignored;
        sender.handle_input(now, buf.get(..len).unwrap_or_default());
        if sender.stats_at(now).ignored == ignored {
            link.fix_peer(from);
        }
    }
}
