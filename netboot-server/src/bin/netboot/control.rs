//! Speaking to the server that runs on a state folder, over its control socket.

use std::path::PathBuf;

use bytes::{Buf, Bytes};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use netboot_server::control_socket;
use netboot_server::{Chain, Failure, state_dir};

const LOOK_AT_THE_LOG: &str = "see the server's log";

/// The control socket of the server that runs on a state folder, where one does.
#[derive(Debug, Clone)]
pub(super) struct Control(PathBuf);

/// What the server said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) document: Value,
}

impl Control {
    /// That of this state folder; nothing is opened yet.
    pub(super) fn of(state_dir: &std::path::Path) -> Self {
        Self(control_socket(state_dir))
    }

    /// Asks for a document. `None` where no server runs.
    ///
    /// # Errors
    ///
    /// Where the server cannot be reached, or its answer is none.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Option<Answer>, Failure> {
        let Some(response) = self.send(method, path, body.into()).await? else {
            return Ok(None);
        };
        let status = response.status();
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| self.failed(&error))?.to_bytes();
        let document = serde_json::from_slice(&body).map_err(|error| self.failed(&error))?;
        Ok(Some(Answer { status, document }))
    }

    /// Asks for a document that there must be, of a server that must run.
    ///
    /// # Errors
    ///
    /// As [`Control::ask`], and where no server runs or it refuses.
    pub(super) async fn document(&self, path: &str) -> Result<Value, Failure> {
        let answer = self.ask(Method::GET, path, Bytes::new()).await?;
        let answer = answer.ok_or_else(|| self.nobody())?;
        self.accepted(
            answer,
            "restart the server, where it is of another version than this command",
        )
    }

    /// The document, unless the server refused; `cure` is for what is wrong with the question.
    pub(super) fn accepted(&self, answer: Answer, cure: &str) -> Result<Value, Failure> {
        if answer.status.is_success() {
            return Ok(answer.document);
        }
        let why = answer.document["error"]
            .as_str()
            .unwrap_or("it does not say why");
        let cure = match answer.status.is_client_error() {
            true => cure,
            false => LOOK_AT_THE_LOG,
        };
        Err(Failure::new(self.tried(), why, cure))
    }

    /// Gives each line of an answer that goes on for as long as the server runs.
    ///
    /// # Errors
    ///
    /// As [`Control::document`], and what `take` gives.
    pub(super) async fn lines(
        &self,
        path: &str,
        mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let response = self.send(Method::GET, path, Bytes::new()).await?;
        let mut body = response.ok_or_else(|| self.nobody())?.into_body();
        let mut begun = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.failed(&error))?;
            let Ok(mut bytes) = frame.into_data() else {
                continue;
            };
            while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
                begun.extend_from_slice(&bytes.split_to(end));
                bytes.advance(1);
                take(&begun)?;
                begun.clear();
            }
            begun.extend_from_slice(&bytes);
        }
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Option<Response<Incoming>>, Failure> {
        use std::io::ErrorKind;
        let stream = match UnixStream::connect(&self.0).await {
            Ok(stream) => stream,
            Err(error) => {
                return match error.kind() {
                    // One that nobody listens on was left by a server that was killed.
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused => Ok(None),
                    ErrorKind::PermissionDenied => {
                        let cure = state_dir::who_may(&self.0);
                        Err(Failure::new(self.tried(), error, cure))
                    }
                    _ => Err(self.failed(&error)),
                };
            }
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.failed(&error))?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(hyper::header::HOST, "netboot")
            .body(Full::new(body))
            .map_err(|error| self.failed(&error))?;
        let response = sender.send_request(request).await;
        response.map(Some).map_err(|error| self.failed(&error))
    }

    /// What to say where a server must run and none does.
    pub(super) fn nobody(&self) -> Failure {
        Failure::new(
            self.tried(),
            "no server runs on this state folder",
            "start it with `systemctl start netboot` or `netboot serve`, or name its folder with \
             --state-dir or --config",
        )
    }

    fn failed(&self, error: &(dyn std::error::Error + 'static)) -> Failure {
        Failure::new(self.tried(), Chain(error), LOOK_AT_THE_LOG)
    }

    fn tried(&self) -> String {
        format!("asking the server at {}", self.0.display())
    }
}
