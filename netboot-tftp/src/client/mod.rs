//! A TFTP client on tokio: reads and writes files and asks for their size.
//!
//! The protocol is in [`Receiver`] and [`Sender`]: here are the socket and the check of the
//! server's port, which is fixed by its first answer (RFC 1350 §4).

mod link;
mod reading;
mod writing;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use tokio::io::AsyncWrite;

use crate::agreed::Agreed;
use crate::client::link::Link;
use crate::client::reading::Reading;
pub use crate::content::{Content, Stream};
use crate::encode::EncodeRequestError;
use crate::netascii::TransferMode;
use crate::options::Options;
use crate::receiver::Receiver;
use crate::sender::Sender;
use crate::transfer::{Stats, TransferError, TransferSettings};

/// A client of one server.
///
/// Each transfer has a socket of its own; a client can be cloned and used for several at once.
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
    mode: TransferMode,
    options: Options,
    settings: TransferSettings,
}

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes that have arrived, as they are on the wire.
    pub bytes: u64,
    /// Bytes in all, where that is known: of a file that is read, where the server has told.
    pub size: Option<u64>,
}

/// A transfer that has succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Completed {
    /// Bytes, packets, time.
    pub stats: Stats,
    /// What the server agreed to.
    pub agreed: Agreed,
    /// The address and port that the server had for this transfer.
    pub server: SocketAddr,
}

/// Why a transfer failed.
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
    /// What was to be sent could not be read.
    #[error("cannot read what is to be sent")]
    Read(#[source] io::Error),
    /// Between the two ends: no answer, an ERROR from the server, a file too large.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The server does not tell sizes.
    #[error("the server does not tell the size of the file")]
    NoSize,
}

impl Client {
    /// A client of this server that asks for blocks of 1468 bytes and for the size, and sends an
    /// ACK for each block.
    #[must_use]
    pub fn new(server: SocketAddr) -> Self {
        Self {
            server,
            bind: None,
            mode: TransferMode::Octet,
            options: Options {
                blksize: Some(1468),
                tsize: Some(0),
                ..Options::new()
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

    /// Transfers text as netascii: here its lines end with LF, whatever they end with at the
    /// server.
    ///
    /// The size of such a file is neither asked for nor told, since it is another on the wire.
    #[must_use]
    pub fn netascii(self) -> Self {
        Self {
            mode: TransferMode::Netascii,
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
    /// `progress` is called after each window or so. The future may be dropped at any time; the
    /// server then hears nothing more and times out. Once the file is whole, a task of the runtime
    /// stays for [`TransferSettings::dally`] to answer a server that has missed the last ACK; where
    /// a port was given to [`Client::bind`], this future waits for that, so that the port is free
    /// again.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; what was written until then is the beginning of the file.
    pub async fn get<W: AsyncWrite + Unpin>(
        &self,
        name: impl AsRef<[u8]>,
        writer: &mut W,
        progress: impl FnMut(Progress),
    ) -> Result<Completed, ClientError> {
        let receiver = self.receiver(name.as_ref(), self.mode, self.options, u64::MAX)?;
        self.read(receiver, writer, progress).await
    }

    /// Writes a file to the server, which learns its size where it knows that option.
    ///
    /// `progress` is called after each window or so. The future may be dropped at any time; the
    /// server then hears nothing more and times out.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use netboot_tftp::client::{Client, Content};
    ///
    /// let client = Client::new("192.168.100.1:69".parse()?).windowsize(16);
    /// let file = std::fs::File::open("switch-1.cfg")?;
    /// client.put("switch-1.cfg", Content::from_file(file)?, |_| {}).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ClientError`]; a server that follows RFC 1350 then has no whole file. With
    /// [`TransferError::TimedOut`] and `all_sent` it may have: its last ACK may be lost.
    pub async fn put(
        &self,
        name: impl AsRef<[u8]>,
        content: Content,
        progress: impl FnMut(Progress),
    ) -> Result<Completed, ClientError> {
        let asked = Options {
            tsize: self.options.tsize.map(|_| content.len()),
            ..self.options
        };
        let size = match self.mode {
            TransferMode::Octet => Some(content.len()),
            TransferMode::Netascii => None,
        };
        let name = name.as_ref();
        let sender = Sender::request(Duration::ZERO, name, self.mode, asked, size, &self.settings)?;
        writing::run(Link::open(self)?, sender, content, self.mode, progress).await
    }

    /// Reads a file of at most `limit` bytes into memory, and otherwise as [`Client::get`] does.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; [`TransferError::TooLarge`] where the file exceeds the limit.
    pub async fn get_bytes(
        &self,
        name: impl AsRef<[u8]>,
        limit: u64,
    ) -> Result<Bytes, ClientError> {
        let receiver = self.receiver(name.as_ref(), self.mode, self.options, limit)?;
        let mut bytes = Vec::new();
        self.read(receiver, &mut bytes, |_| {}).await?;
        Ok(bytes.into())
    }

    /// Asks for the size of a file and ends the transfer with ERROR 8 before the first block, as
    /// EDK2 does.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; [`ClientError::NoSize`] where the server does not know the `tsize` option.
    pub async fn size(&self, name: impl AsRef<[u8]>) -> Result<u64, ClientError> {
        let options = Options {
            tsize: Some(0),
            ..self.options
        };
        // In any mode the size that a server tells is that of the bytes as they are.
        let mode = TransferMode::Octet;
        let receiver = self.receiver(name.as_ref(), mode, options, u64::MAX)?;
        let mut reading = Reading::open(self, receiver, mode)?;
        match reading.run(&mut tokio::io::sink(), |_| {}, true).await {
            Ok(_) | Err(ClientError::Transfer(TransferError::Aborted { .. })) => {
                reading.size_told().ok_or(ClientError::NoSize)
            }
            Err(error) => Err(error),
        }
    }

    async fn read<W: AsyncWrite + Unpin>(
        &self,
        receiver: Receiver,
        writer: &mut W,
        progress: impl FnMut(Progress),
    ) -> Result<Completed, ClientError> {
        let mut reading = Reading::open(self, receiver, self.mode)?;
        let completed = reading.run(writer, progress, false).await?;
        let dally = reading.dally();
        if self.bind.is_some_and(|local| local.port() != 0) {
            // The caller's port has to be free for its next transfer.
            dally.await;
        } else {
            tokio::spawn(dally);
        }
        Ok(completed)
    }

    fn receiver(
        &self,
        name: &[u8],
        mode: TransferMode,
        options: Options,
        limit: u64,
    ) -> Result<Receiver, ClientError> {
        Ok(Receiver::request(
            Duration::ZERO,
            name,
            mode,
            options,
            limit,
            &self.settings,
        )?)
    }
}
