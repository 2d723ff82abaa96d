//! A GET over HTTP from a given local address, as a machine sends it from its lease.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;

use crate::failure::{Chain, Failure};

/// Fetches a URL; anything but 200 is a failure.
pub(super) async fn get(from: IpAddr, url: &str) -> Result<Bytes, Failure> {
    try_get(from, url).await.map_err(|error| {
        Failure::new(
            format!("GET {url} from {from}"),
            Chain(error.as_ref()),
            "report this as a defect",
        )
    })
}

async fn try_get(
    from: IpAddr,
    url: &str,
) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    let url: Uri = url.parse()?;
    let host: IpAddr = url.host().unwrap_or_default().parse()?;
    let server = SocketAddr::new(host, url.port_u16().unwrap_or(80));
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    let stream = socket.connect(server).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header("host", server.to_string())
        .header("user-agent", "netboot-demo")
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    drop(sender);
    connection.await??;
    if status != hyper::StatusCode::OK {
        return Err(format!("{status}: {}", String::from_utf8_lossy(&body).trim()).into());
    }
    Ok(body)
}
