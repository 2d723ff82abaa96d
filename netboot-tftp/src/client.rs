//! A TFTP client on tokio: reads files and asks for their size.
//!
//! The protocol is in [`Receiver`]: here are the socket and the check of the server's
//! port, which is fixed by its first answer (RFC 1350 §4).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use thiserror::Error;
use tokio::io::{AsyncWrite, AsyncWriteExt, Interest};
use tokio::net::UdpSocket;
use tokio::time::Instant;

use crate::encode::{EncodeRequestError, encode_error};
use crate::netascii::TransferMode;
use crate::options::{Agreed, Options};
use crate::packet::ErrorCode;
use crate::receiver::{Received, Receiver, ReceiverOutput};
use crate::transfer::{Stats, TransferError, TransferSettings};

/// A client of one server.
///
/// Each read has a socket of its own; a client can be cloned and used for several at once.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use netboot_tftp::client::Client;
///
/// let client = Client::new("192.168.100.1:69".parse()?).windowsize(16);
/// let size = client.size("ipxe.efi").await?;
/// let mut file = tokio::io::sink();
/// let fetched = client
///     .get("ipxe.efi", &mut file, |so_far| eprintln!("{} of {size} bytes", so_far.bytes))
///     .await?;
/// assert_eq!(fetched.stats.bytes, size);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    server: SocketAddr,
    bind: Option<SocketAddr>,
    options: Options,
    settings: TransferSettings,
}

/// How far a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes written.
    pub bytes: u64,
    /// Bytes in all, where the server has told.
    pub size: Option<u64>,
}

/// A read that has succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// Bytes, packets, time.
    pub stats: Stats,
    /// What the server agreed to.
    pub agreed: Agreed,
    /// The address and port that the server sent the file from.
    pub server: SocketAddr,
}

/// Why a read failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The caller's fault: the request cannot be put on the wire.
    #[error(transparent)]
    Request(#[from] EncodeRequestError),
    /// The socket could not be opened or used.
    #[error("cannot {what}")]
    Socket {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        error: io::Error,
    },
    /// What was received could not be written.
    #[error("cannot write what was received")]
    Write(#[source] io::Error),
    /// Between the two ends: no answer, an ERROR from the server, a file too large.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The server does not tell sizes.
    #[error("the server does not tell the size of the file")]
    NoSize,
}

impl Client {
    /// A client of this server that asks for blocks of 1468 bytes and for the size, and sends an ACK for
    /// each block.
    #[must_use]
    pub fn new(server: SocketAddr) -> Self {
        Self {
            server,
            bind: None,
            options: Options {
                blksize: Some(1468),
                tsize: Some(0),
                ..Options::default()
            },
            settings: TransferSettings::default(),
        }
    }

    /// Sends from this address, and from this port unless it is 0.
    #[must_use]
    pub fn bind(self, local: SocketAddr) -> Self {
        Self {
            bind: Some(local),
            ..self
        }
    }

    /// Asks for blocks of this many bytes.
    #[must_use]
    pub fn blksize(mut self, blksize: u16) -> Self {
        self.options.blksize = Some(blksize);
        self
    }

    /// Asks for windows of this many blocks.
    #[must_use]
    pub fn windowsize(mut self, windowsize: u16) -> Self {
        self.options.windowsize = Some(windowsize);
        self
    }

    /// Asks for exactly these options.
    #[must_use]
    pub fn options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    /// Is as patient as these settings say.
    #[must_use]
    pub fn settings(self, settings: TransferSettings) -> Self {
        Self { settings, ..self }
    }

    /// Reads a file into `writer`, which is flushed at the end.
    ///
    /// `progress` is called after each window or so. The future may be dropped at any time; the server then
    /// hears nothing more and times out.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; what was written until then is the beginning of the file.
    pub async fn get<W: AsyncWrite + Unpin>(
        &self,
        name: impl AsRef<[u8]>,
        writer: &mut W,
        progress: impl FnMut(Progress),
    ) -> Result<Fetched, ClientError> {
        let receiver = self.receiver(name.as_ref(), self.options, u64::MAX)?;
        Exchange::open(self, receiver)?
            .run(writer, progress, false)
            .await
    }

    /// Reads a file of at most `limit` bytes into memory.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; [`TransferError::TooLarge`] where the file exceeds the limit.
    pub async fn get_bytes(
        &self,
        name: impl AsRef<[u8]>,
        limit: u64,
    ) -> Result<Bytes, ClientError> {
        let receiver = self.receiver(name.as_ref(), self.options, limit)?;
        let mut bytes = Vec::new();
        Exchange::open(self, receiver)?
            .run(&mut bytes, |_| {}, false)
            .await?;
        Ok(bytes.into())
    }

    /// Asks for the size of a file and ends the transfer with ERROR 8 before the first block, as EDK2 does.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; [`ClientError::NoSize`] where the server does not know the `tsize` option.
    pub async fn size(&self, name: impl AsRef<[u8]>) -> Result<u64, ClientError> {
        let options = Options {
            tsize: Some(0),
            ..self.options
        };
        let receiver = self.receiver(name.as_ref(), options, u64::MAX)?;
        let mut exchange = Exchange::open(self, receiver)?;
        match exchange.run(&mut tokio::io::sink(), |_| {}, true).await {
            Ok(_) | Err(ClientError::Transfer(TransferError::Aborted { .. })) => exchange
                .receiver
                .agreed()
                .and_then(|agreed| agreed.options().tsize)
                .ok_or(ClientError::NoSize),
            Err(error) => Err(error),
        }
    }

    fn receiver(&self, name: &[u8], options: Options, limit: u64) -> Result<Receiver, ClientError> {
        Ok(Receiver::request(
            Duration::ZERO,
            name,
            TransferMode::Octet,
            options,
            limit,
            &self.settings,
        )?)
    }
}

/// Room for one receive call, in which the kernel may have joined a whole window.
const RECEIVE_LEN: usize = 1 << 16;

/// One read on its socket.
struct Exchange {
    socket: UdpSocket,
    state: UdpSocketState,
    receiver: Receiver,
    server: SocketAddr,
    /// The port that the server has chosen for this transfer.
    peer: Option<SocketAddr>,
    started: Instant,
}

impl Exchange {
    fn open(client: &Client, receiver: Receiver) -> Result<Self, ClientError> {
        let failed = |what| move |error| ClientError::Socket { what, error };
        let any: IpAddr = match client.server {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let local = client.bind.unwrap_or(SocketAddr::new(any, 0));
        let socket = std::net::UdpSocket::bind(local).map_err(failed("bind the local address"))?;
        let state =
            UdpSocketState::new(UdpSockRef::from(&socket)).map_err(failed("set up the socket"))?;
        let socket = UdpSocket::from_std(socket).map_err(failed("register the socket"))?;
        Ok(Self {
            socket,
            state,
            receiver,
            server: client.server,
            peer: None,
            started: Instant::now(),
        })
    }

    async fn run<W: AsyncWrite + Unpin>(
        &mut self,
        writer: &mut W,
        mut progress: impl FnMut(Progress),
        size_only: bool,
    ) -> Result<Fetched, ClientError> {
        let mut buf = vec![0; RECEIVE_LEN];
        loop {
            let deadline = match self.poll_output().await? {
                Turn::Wait(deadline) => self.started + deadline,
                Turn::Done(stats) => {
                    writer.flush().await.map_err(ClientError::Write)?;
                    return Ok(Fetched {
                        stats,
                        agreed: self.receiver.agreed().copied().unwrap_or_default(),
                        server: self.peer.unwrap_or(self.server),
                    });
                }
            };
            tokio::select! {
                biased;
                received = self.receive(&mut buf) => {
                    let (meta, len) = received?;
                    let bytes = buf.get(..len).unwrap_or_default();
                    for datagram in bytes.chunks(meta.stride.max(1)) {
                        self.take(meta.addr, datagram, writer).await?;
                    }
                    let agreed = self.receiver.agreed().copied();
                    if size_only && agreed.is_some() {
                        self.receiver.abort(ErrorCode::OPTION_REFUSED, "only the size was asked for");
                    }
                    if let Some(agreed) = agreed {
                        let bytes = self.receiver.stats_at(self.started.elapsed()).bytes;
                        progress(Progress { bytes, size: agreed.options().tsize });
                    }
                }
                () = tokio::time::sleep_until(deadline) => {}
            }
        }
    }

    async fn poll_output(&mut self) -> Result<Turn, ClientError> {
        let mut buf = [0; 512];
        loop {
            let output = self
                .receiver
                .poll_output(self.started.elapsed(), &mut buf)
                .map_err(EncodeRequestError::from)?;
            match output {
                ReceiverOutput::Transmit(transmit) => {
                    let bytes = buf.get(..transmit.len).unwrap_or_default();
                    let to = self.peer.unwrap_or(self.server);
                    self.socket
                        .send_to(bytes, to)
                        .await
                        .map_err(|error| ClientError::Socket {
                            what: "send to the server",
                            error,
                        })?;
                }
                ReceiverOutput::Wait(deadline) => return Ok(Turn::Wait(deadline)),
                ReceiverOutput::Done(stats) => return Ok(Turn::Done(stats)),
                ReceiverOutput::Failed(error, _) => return Err(error.into()),
            }
        }
    }

    /// Waits for datagrams; safe to drop at any time.
    async fn receive(&self, buf: &mut [u8]) -> Result<(RecvMeta, usize), ClientError> {
        let failed = |error| ClientError::Socket {
            what: "receive from the server",
            error,
        };
        loop {
            self.socket.readable().await.map_err(failed)?;
            let mut meta = [RecvMeta::default()];
            let received = self.socket.try_io(Interest::READABLE, || {
                let mut slices = [IoSliceMut::new(buf)];
                self.state
                    .recv(UdpSockRef::from(&self.socket), &mut slices, &mut meta)
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
        // Only the host is known before its first answer, which fixes the port.
        let expected = self
            .peer
            .map_or(from.ip() == self.server.ip(), |peer| peer == from);
        if !expected {
            let mut buf = [0; 64];
            if let Ok(len) = encode_error(ErrorCode::UNKNOWN_TID, "unknown transfer id", &mut buf)
                && let Some(packet) = buf.get(..len)
            {
                // Whoever sent it is no part of the transfer: whether the answer arrives does not matter.
                let _unheard = self.socket.try_send_to(packet, from);
            }
            return Ok(());
        }
        let received = self.receiver.handle_input(self.started.elapsed(), datagram);
        if self.receiver.agreed().is_some() {
            self.peer = Some(from);
        }
        if let Received::Data { payload, .. } = received
            && let Err(error) = writer.write_all(payload).await
        {
            self.receiver
                .abort(ErrorCode::DISK_FULL, "cannot write the file");
            // The peer is told as well as it can be; the reason stays the failed write.
            let _told = self.poll_output().await;
            return Err(ClientError::Write(error));
        }
        Ok(())
    }
}

enum Turn {
    Wait(Duration),
    Done(Stats),
}
