//! One read: a [`Receiver`] on its link.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::time::Duration;

use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use tokio::io::{AsyncWrite, AsyncWriteExt, Interest};

use crate::client::link::Link;
use crate::client::{Client, ClientError, Completed, Progress};
use crate::encode::EncodeRequestError;
use crate::error_code::ErrorCode;
use crate::netascii::{Decoder, TransferMode};
use crate::receiver::{Received, Receiver, ReceiverOutput};
use crate::transfer::Stats;

/// Room for one receive call, in which the kernel may have joined a whole window.
const RECEIVE_LEN: usize = 1 << 16;

pub(crate) struct Reading {
    link: Link,
    state: UdpSocketState,
    receiver: Receiver,
    decoder: Option<Decoder>,
}

/// Where the receiver is when it has nothing more to send.
enum Polled {
    Wait(Duration),
    Done,
}

impl Reading {
    pub(crate) fn open(
        client: &Client,
        receiver: Receiver,
        mode: TransferMode,
    ) -> Result<Self, ClientError> {
        let link = Link::open(client)?;
        let state = UdpSocketState::new(UdpSockRef::from(&link.socket)).map_err(|error| {
            let what = "set up the socket";
            ClientError::Socket { what, error }
        })?;
        Ok(Self {
            link,
            state,
            receiver,
            decoder: (mode == TransferMode::Netascii).then(Decoder::default),
        })
    }

    /// The size of the file, once the server has told.
    pub(crate) fn size_told(&self) -> Option<u64> {
        self.receiver.agreed().and_then(|a| a.options().tsize)
    }

    pub(crate) async fn run<W: AsyncWrite + Unpin>(
        &mut self,
        writer: &mut W,
        mut progress: impl FnMut(Progress),
        size_only: bool,
    ) -> Result<Completed, ClientError> {
        let mut buf = vec![0; RECEIVE_LEN];
        loop {
            let deadline = match self.poll_output().await? {
                Polled::Wait(deadline) if !self.receiver.is_complete() => deadline,
                Polled::Wait(_) | Polled::Done => {
                    writer.flush().await.map_err(ClientError::Write)?;
                    return Ok(Completed {
                        stats: self.stats(),
                        agreed: self.receiver.agreed().copied().unwrap_or_default(),
                        server: self.link.peer(),
                    });
                }
            };
            let heard = self.listen(deadline, &mut buf, writer).await?;
            if heard && let Some(agreed) = self.receiver.agreed().copied() {
                if size_only {
                    let why = "only the size was asked for";
                    self.receiver.abort(ErrorCode::OPTION_REFUSED, why);
                }
                progress(Progress {
                    bytes: self.stats().bytes,
                    size: agreed.options().tsize,
                });
            }
        }
    }

    /// Answers a server that has not heard the last ACK of a file which is complete, for as long as
    /// it may ask.
    pub(crate) async fn dally(mut self) {
        let mut buf = vec![0; RECEIVE_LEN];
        // The file is whole by now: an error here is nobody's concern.
        while let Ok(Polled::Wait(deadline)) = self.poll_output().await
            && let Ok(_heard) = self
                .listen(deadline, &mut buf, &mut tokio::io::sink())
                .await
        {}
    }

    fn stats(&self) -> Stats {
        self.receiver.stats_at(self.link.clock.now())
    }

    /// Takes what comes next, and says whether anything did before this time.
    async fn listen<W: AsyncWrite + Unpin>(
        &mut self,
        deadline: Duration,
        buf: &mut [u8],
        writer: &mut W,
    ) -> Result<bool, ClientError> {
        let deadline = self.link.clock.at(deadline);
        let (meta, len) = tokio::select! {
            biased;
            received = self.receive(buf) => received?,
            () = tokio::time::sleep_until(deadline) => return Ok(false),
        };
        let bytes = buf.get(..len).unwrap_or_default();
        for datagram in bytes.chunks(meta.stride.max(1)) {
            self.take(meta.addr, datagram, writer).await?;
        }
        Ok(true)
    }

    async fn poll_output(&mut self) -> Result<Polled, ClientError> {
        let mut buf = [0; 512];
        loop {
            let output = self
                .receiver
                .poll_output(self.link.clock.now(), &mut buf)
                .map_err(EncodeRequestError::from)?;
            match output {
                ReceiverOutput::Transmit(transmit) => {
                    let bytes = buf.get(..transmit.len).unwrap_or_default();
                    let sent = self.link.socket.send_to(bytes, self.link.peer()).await;
                    sent.map_err(|error| {
                        let what = "send to the server";
                        ClientError::Socket { what, error }
                    })?;
                }
                ReceiverOutput::Wait(deadline) => return Ok(Polled::Wait(deadline)),
                ReceiverOutput::Done(_) => return Ok(Polled::Done),
                ReceiverOutput::Failed(error, _) => return Err(error.into()),
            }
        }
    }

    /// Waits for datagrams; safe to drop at any time.
    async fn receive(&self, buf: &mut [u8]) -> Result<(RecvMeta, usize), ClientError> {
        let failed = |error| {
            let what = "receive from the server";
            ClientError::Socket { what, error }
        };
        let socket = &self.link.socket;
        loop {
            socket.readable().await.map_err(failed)?;
            let mut meta = [RecvMeta::default()];
            let received = socket.try_io(Interest::READABLE, || {
                let mut slices = [IoSliceMut::new(buf)];
                self.state
                    .recv(UdpSockRef::from(socket), &mut slices, &mut meta)
            });
            match received {
                Ok(_) => {
                    let [meta] = meta;
                    return Ok((meta, meta.len));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    async fn take<W: AsyncWrite + Unpin>(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        writer: &mut W,
    ) -> Result<(), ClientError> {
        if !self.link.admits(from) {
            return Ok(());
        }
        let now = self.link.clock.now();
        let ignored = self.receiver.stats_at(now).ignored;
        let received = self.receiver.handle_input(now, datagram);
        if self.receiver.stats_at(now).ignored == ignored {
            self.link.fix_peer(from);
        }
        if let Received::Data { payload, .. } = received
            && let Err(error) = self.write(payload, writer).await
        {
            self.receiver
                .abort(ErrorCode::DISK_FULL, "cannot write the file");
            // The peer is told as well as it can be; the reason stays the failed write.
            let _told = self.poll_output().await;
            return Err(ClientError::Write(error));
        }
        Ok(())
    }

    async fn write<W: AsyncWrite + Unpin>(
        &mut self,
        payload: &[u8],
        writer: &mut W,
    ) -> io::Result<()> {
        let Some(decoder) = &mut self.decoder else {
            return writer.write_all(payload).await;
        };
        let mut text = Vec::new();
        decoder.decode(payload, &mut text);
        if self.receiver.is_complete() {
            decoder.finish(&mut text);
        }
        writer.write_all(&text).await
    }
}
