//! Both ends of the protocol: by hand-written packets, over a simulated link, and over loopback
//! sockets.

#[cfg(feature = "tokio")]
mod client;
#[cfg(feature = "tokio")]
mod server;
mod simulation;
mod wire;
