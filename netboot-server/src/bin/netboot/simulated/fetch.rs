//! Files as a simulated machine fetches them: by HTTP and TFTP, from servers that DHCP named and
//! from nobody else, and compared with the manifest beside them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use netboot_image::{Digest, Hasher, Manifest};
use netboot_tftp::client::Client as TftpClient;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use super::report::{Report, now};
use netboot_server::{Chain, Failure};

/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(15);
/// How much of a file is kept: all of a script, and a program's headers.
const KEPT: usize = 1 << 20;
/// The longest head of an HTTP answer, in bytes.
const LONGEST_HEAD: u64 = 64 << 10;
/// The largest file by TFTP.
const TFTP_LIMIT: u64 = 64 << 20;

/// Where files come from, and whom they may be asked from.
#[derive(Debug)]
pub(super) struct Fetcher {
    pub(super) from: Ipv4Addr,
    pub(super) device: Option<String>,
    pub(super) servers: Vec<Ipv4Addr>,
    pub(super) tftp_port: u16,
    manifests: BTreeMap<String, Option<Manifest>>,
}

/// A file that came.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) url: String,
    pub(super) length: u64,
    pub(super) digest: Digest,
    /// Its first MiB.
    pub(super) head: Vec<u8>,
}

/// What became of a URL.
#[derive(Debug, Clone)]
pub(super) enum Fetched {
    File(File),
    /// It is for another server or protocol, and was not asked for; this is why.
    NotAsked(String),
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Fetcher {
    pub(super) fn new(
        from: Ipv4Addr,
        device: Option<&str>,
        servers: Vec<Ipv4Addr>,
        tftp_port: u16,
    ) -> Self {
        Self {
            from,
            device: device.map(str::to_owned),
            servers,
            tftp_port,
            manifests: BTreeMap::new(),
        }
    }

    /// Fetches `http://…` and `tftp://…`.
    pub(super) async fn get(&self, url: &str, report: &mut Report) -> Result<Fetched, Failure> {
        let began = now();
        let failed = |error: Cause| {
            Failure::new(
                format!("GET {url} from {}", self.from),
                Chain(error.as_ref()),
                "look at the server's log for what it made of the request",
            )
        };
        let uri: Uri = match url.parse() {
            Ok(uri) => uri,
            Err(error) => return Err(failed(Box::new(error))),
        };
        let name = uri.scheme_str().unwrap_or_default();
        if name != "http" && name != "tftp" {
            let why = format!("only http and tftp are simulated: {url}");
            return Ok(Fetched::NotAsked(why));
        }
        let host = uri.host().unwrap_or_default();
        let Some(server) = host.parse().ok().filter(|host| self.servers.contains(host)) else {
            let why = format!("{host} is not the server that is probed: {url}");
            return Ok(Fetched::NotAsked(why));
        };
        if name == "tftp" {
            let path = uri.path().trim_start_matches('/');
            let port = uri.port_u16().unwrap_or(self.tftp_port);
            let file = self.tftp(server, port, path, report).await?;
            let url = url.to_owned();
            return Ok(Fetched::File(File { url, ..file }));
        }
        let file = self.http(url, &uri, server).await.map_err(failed)?;
        report.moved("HTTP", url, file.length, began)?;
        Ok(Fetched::File(file))
    }

    async fn http(&self, url: &str, uri: &Uri, server: Ipv4Addr) -> Result<File, Cause> {
        let server = SocketAddr::from((server, uri.port_u16().unwrap_or(80)));
        let stream = self.connect(server).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path)
            .header("host", server.to_string())
            .header("user-agent", "netboot-probe")
            .body(Empty::<Bytes>::new())?;
        let response = within(sender.send_request(request)).await??;
        let status = response.status();
        let mut body = response.into_body();
        let (mut hasher, mut head) = (Hasher::new(), Vec::new());
        while let Some(frame) = within(body.frame()).await? {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            hasher.update(&data);
            let room = KEPT.saturating_sub(head.len()).min(data.len());
            head.extend_from_slice(data.get(..room).unwrap_or_default());
        }
        drop(sender);
        connection.abort();
        if status != hyper::StatusCode::OK {
            let text = String::from_utf8_lossy(&head);
            let text: String = text.trim().chars().take(200).collect();
            return Err(format!("{status}: {text}").into());
        }
        Ok(File {
            url: url.to_owned(),
            length: hasher.len(),
            digest: hasher.digest(),
            head,
        })
    }

    async fn connect(&self, server: SocketAddr) -> Result<TcpStream, Cause> {
        let socket = TcpSocket::new_v4()?;
        if let Some(device) = &self.device {
            socket.bind_device(Some(device.as_bytes()))?;
        }
        socket.bind(SocketAddr::from((self.from, 0)))?;
        Ok(within(socket.connect(server)).await??)
    }

    /// Fetches `http://…` as GRUB does (`parse_line` in its `grub-core/net/http.c`): the answer's
    /// lines are known by how they are spelled.
    pub(super) async fn get_literally(
        &self,
        url: &str,
        report: &mut Report,
    ) -> Result<File, Failure> {
        let began = now();
        let file = self.literally(url).await.map_err(|error| {
            Failure::new(
                format!("GET {url} as GRUB does, from {}", self.from),
                Chain(error.as_ref()),
                "look at the server's log for what it made of the request",
            )
        })?;
        report.moved("HTTP", url, file.length, began)?;
        Ok(file)
    }

    async fn literally(&self, url: &str) -> Result<File, Cause> {
        let uri: Uri = url.parse()?;
        let host = uri.host().unwrap_or_default();
        let server = host.parse().ok().filter(|it| self.servers.contains(it));
        let server = server.ok_or("it is not on the server that is probed")?;
        let server = SocketAddr::from((server, uri.port_u16().unwrap_or(80)));
        let mut stream = BufReader::new(self.connect(server).await?).take(LONGEST_HEAD);
        let request = format!("GET {} HTTP/1.1\r\nHost: {host}\r\n\r\n", uri.path());
        within(stream.get_mut().write_all(request.as_bytes())).await??;
        let mut length: Option<u64> = None;
        let mut line = String::new();
        within(stream.read_line(&mut line)).await??;
        if !line.starts_with("HTTP/1.1 200 ") {
            return Err(format!("it answers {}", line.trim_end()).into());
        }
        loop {
            line.clear();
            if within(stream.read_line(&mut line)).await?? == 0 {
                return Err("its answer ends before its head does".into());
            }
            let text = line.strip_suffix("\r\n").unwrap_or(&line);
            if text.is_empty() {
                break;
            }
            if let Some(said) = text.strip_prefix("Content-Length: ") {
                length = said.parse().ok();
            }
        }
        let length = length.ok_or("no length stands behind `Content-Length: `")?;
        stream.set_limit(length);
        let (mut hasher, mut head) = (Hasher::new(), Vec::new());
        while hasher.len() < length {
            let data = within(stream.fill_buf()).await??;
            let count = data.len();
            if count == 0 {
                return Err("its body is shorter than it says".into());
            }
            hasher.update(data);
            let room = KEPT.saturating_sub(head.len()).min(count);
            head.extend_from_slice(data.get(..room).unwrap_or_default());
            stream.consume(count);
        }
        Ok(File {
            url: url.to_owned(),
            length,
            digest: hasher.digest(),
            head,
        })
    }

    /// Fetches a file by TFTP.
    pub(super) async fn tftp(
        &self,
        server: Ipv4Addr,
        port: u16,
        name: &str,
        report: &mut Report,
    ) -> Result<File, Failure> {
        let began = now();
        let server = SocketAddr::from((server, port));
        let client = TftpClient::new(server).bind(SocketAddr::from((self.from, 0)));
        let bytes = client.get_bytes(name, TFTP_LIMIT).await.map_err(|error| {
            Failure::new(
                format!("TFTP {name} from {server}"),
                Chain(&error),
                "look at the server's log for what it made of the request",
            )
        })?;
        report.moved("TFTP", name, bytes.len() as u64, began)?;
        let head = bytes.get(..KEPT.min(bytes.len())).unwrap_or_default();
        Ok(File {
            url: name.to_owned(),
            length: bytes.len() as u64,
            digest: Digest::of(&bytes),
            head: head.to_vec(),
        })
    }

    /// Compares a file with what the manifest beside it says; a manifest that is not there says
    /// nothing.
    pub(super) async fn verify(
        &mut self,
        file: &File,
        report: &mut Report,
    ) -> Result<Result<(), String>, Failure> {
        let path = file.url.split(['?', '#']).next().unwrap_or_default();
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if !self.manifests.contains_key(folder) {
            let manifest = self.manifest(folder, report).await?;
            self.manifests.insert(folder.to_owned(), manifest);
        }
        let manifest = self.manifests.get(folder).and_then(Option::as_ref);
        let Some(listed) = manifest.and_then(|manifest| manifest.file(name)) else {
            let digest = file.digest;
            report.say("unlisted", format_args!("{name}  {digest}"))?;
            return Ok(Ok(()));
        };
        if listed.digest() != file.digest {
            return Ok(Err(format!(
                "{name} has the digest {}, and the manifest beside it says {}",
                file.digest,
                listed.digest()
            )));
        }
        report.say("verified", format_args!("{name}  {}", file.digest))?;
        Ok(Ok(()))
    }

    async fn manifest(
        &self,
        folder: &str,
        report: &mut Report,
    ) -> Result<Option<Manifest>, Failure> {
        let url = format!("{folder}/manifest.json");
        if !url.starts_with("http://") {
            return Ok(None);
        }
        let Ok(Fetched::File(file)) = self.get(&url, report).await else {
            report.say("note", format_args!("there is no manifest at {url}"))?;
            return Ok(None);
        };
        Manifest::decode(&file.head).map(Some).map_err(|error| {
            Failure::new(
                format!("reading {url}"),
                Chain(&error),
                "publish the image again",
            )
        })
    }
}

async fn within<T>(doing: impl Future<Output = T>) -> Result<T, Cause> {
    let done = tokio::time::timeout(PATIENCE, doing).await;
    done.map_err(|_| format!("the server was silent for {} s", PATIENCE.as_secs()).into())
}

/// A URI as it is meant in a script from `base`.
pub(super) fn absolute(base: &str, uri: &str) -> String {
    if uri.contains("://") {
        return uri.to_owned();
    }
    let path = base.split(['?', '#']).next().unwrap_or_default();
    let start = path.find("://").map_or(0, |at| at + "://".len());
    let host_end = path.get(start..).and_then(|rest| rest.find('/'));
    let host = host_end
        .and_then(|end| path.get(..start + end))
        .unwrap_or(path);
    if uri.starts_with('/') {
        return format!("{host}{uri}");
    }
    let folder = path.rfind('/').filter(|at| *at >= host.len());
    let folder = folder.and_then(|at| path.get(..at)).unwrap_or(host);
    format!("{folder}/{uri}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_length_counts_only_as_grub_spells_it() {
        for (head, length) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2", Some(2)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2", None),
            ("HTTP/1.1 200 OK\r\nContent-Length:2", None),
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 2", None),
        ] {
            let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
            let listener = listener.expect("a port");
            let port = listener.local_addr().expect("an address").port();
            let answer = format!("{head}\r\n\r\nok");
            let serving = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.expect("a client");
                stream.write_all(answer.as_bytes()).await.expect("sent");
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
            let own = Ipv4Addr::LOCALHOST;
            let fetcher = Fetcher::new(own, None, vec![own], 69);
            let url = format!("http://127.0.0.1:{port}/x");
            let file = fetcher.literally(&url).await.ok();
            assert_eq!(file.map(|file| file.length), length, "{head}");
            serving.abort();
        }
    }

    #[test]
    fn a_uri_is_meant_from_where_its_script_came() {
        let base = "http://10.0.0.1:8080/a/boot.ipxe?mac=02:00/x";
        for (uri, whole) in [
            ("kernel", "http://10.0.0.1:8080/a/kernel"),
            ("/kernel", "http://10.0.0.1:8080/kernel"),
            ("tftp://10.0.0.2/k", "tftp://10.0.0.2/k"),
        ] {
            assert_eq!(absolute(base, uri), whole);
        }
        assert_eq!(absolute("http://10.0.0.1", "k"), "http://10.0.0.1/k");
    }
}
