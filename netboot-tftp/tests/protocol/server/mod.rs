//! The server and the client over loopback sockets, and the server against packets written by hand.

mod caps;
mod hostile;
mod lossy;
mod netascii;
mod reading;
mod sharing;
mod single_port;
mod sinks;
mod streams;
mod support;
mod writing;
