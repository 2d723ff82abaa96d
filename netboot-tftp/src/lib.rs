// The README's example needs the server and the client.
#![cfg_attr(feature = "tokio", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "Windowed TFTP as state machines without I/O: [`Sender`] and [`Receiver`]."
)]
#![cfg_attr(not(feature = "tokio"), no_std)]

extern crate alloc;

mod agreed;
#[cfg(feature = "tokio")]
pub mod client;
#[cfg(feature = "tokio")]
mod clock;
#[cfg(feature = "tokio")]
mod content;
mod encode;
mod error_code;
mod name;
pub mod netascii;
mod options;
mod packet;
mod receiver;
mod retransmit;
mod sender;
#[cfg(feature = "tokio")]
pub mod server;
mod transfer;
#[cfg(feature = "tokio")]
mod udp;

#[cfg(feature = "tokio")]
pub use bytes::Bytes;

pub use agreed::{Agreed, Limits, OackError};
pub use encode::{
    BufferTooSmall, Direction, EncodeRequestError, encode_ack, encode_data_header, encode_error,
    encode_request,
};
pub use error_code::ErrorCode;
pub use name::{NameError, RelativePath};
pub use netascii::TransferMode;
pub use options::{BLKSIZE_RANGE, DEFAULT_BLKSIZE, Options};
pub use packet::{
    DATA_HEADER_LEN, DecodeError, MAX_REQUEST_LEN, Mode, OptionsIter, OptionsView, Packet,
    RequestView,
};
pub use receiver::{Received, Receiver, ReceiverOutput};
pub use sender::{Run, Sender, SenderOutput};
pub use transfer::{Stats, TransferError, TransferSettings, Transmit, Wrap};
