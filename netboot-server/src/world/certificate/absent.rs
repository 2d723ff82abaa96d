//! In place of certificates, where HTTPS was not compiled.

use std::io;

use tokio::net::TcpStream;

use crate::config::Tls;
use crate::failure::Failure;

/// There is none.
#[derive(Debug, Clone)]
pub(crate) enum Acceptor {}

impl Acceptor {
    /// Is never called.
    #[expect(clippy::unused_async, reason = "it stands for one that waits")]
    pub(crate) async fn accept(&self, _stream: TcpStream) -> io::Result<TcpStream> {
        match *self {}
    }
}

/// Fails. A configuration that was checked names no certificate here.
pub(super) fn read(tls: &Tls) -> Result<Acceptor, Failure> {
    Err(Failure::new(
        format!("serving HTTPS with the certificate {}", tls.cert.display()),
        "this program was built without HTTPS",
        "leave `tls` out, or build netboot-server with its feature `tls`",
    ))
}
