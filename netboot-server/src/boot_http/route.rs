//! Routes of a program that embeds the server, beside this server's own on the boot network.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Incoming};
use netboot_dhcp::MacAddr;

use super::refusal::Refusal;
use crate::world::World;

pub use bytes::Bytes;
pub use hyper::{HeaderMap, Method, Response, StatusCode, header};

pub use crate::http::Body;

/// Bytes of the longest body of a request. All that arrive at once are in memory, one a connection.
const MAX_BODY: usize = 64 << 10;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Answers requests at and below a path. A closure that gives a future is one.
///
/// ```
/// use netboot_server::route::{Body, Request, Response, Route};
///
/// fn greeting() -> impl Route {
///     async |request: Request| match request.machine {
///         Some(mac) => Response::new(Body::bytes(format!("hello, {mac}\n"))),
///         None => Response::new(Body::bytes("hello\n")),
///     }
/// }
/// ```
pub trait Route: Send + Sync + 'static {
    /// Answers one request. What becomes of it is in the event stream as for this server's own.
    fn answer(&self, request: Request) -> impl Future<Output = Response<Body>> + Send;
}

impl<F, A> Route for F
where
    F: Fn(Request) -> A + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send,
{
    fn answer(&self, request: Request) -> impl Future<Output = Response<Body>> + Send {
        self(request)
    }
}

/// A request to a [`Route`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its whole path, percent signs decoded and `//` folded.
    pub path: String,
    /// What is behind the `?` of its URL, as it is there.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, of 64 KiB at most: a longer one is refused before the route is asked.
    pub body: Bytes,
    /// The address that it came from.
    pub client: IpAddr,
    /// The machine behind that address, where that is known.
    pub machine: Option<MacAddr>,
    /// Whether it came by HTTPS.
    pub secure: bool,
    /// The world as it was last looked at.
    pub world: Arc<World>,
}

/// What a body brings: all of it.
pub(super) async fn whole(body: Incoming) -> Result<Bytes, Refusal> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let read = Limited::new(body, MAX_BODY).collect();
    match tokio::time::timeout(BODY_TIMEOUT, read).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is cut off, or longer than {MAX_BODY} bytes"),
        )),
        Err(_) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not arrive in time",
        )),
    }
}

/// The routes that were added, the longest path first.
#[derive(Default)]
pub(crate) struct Routes(Vec<(String, Box<dyn Answer>)>);

impl Routes {
    /// Adds one at and below a path.
    pub(crate) fn add(&mut self, path: &str, route: impl Route) {
        self.0
            .push((path.trim_matches('/').to_owned(), Box::new(route)));
        self.0
            .sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
    }

    /// The one that answers for a path.
    pub(super) fn of(&self, path: &str) -> Option<&dyn Answer> {
        self.find(path).map(|(_, route)| &**route)
    }

    fn find(&self, path: &str) -> Option<&(String, Box<dyn Answer>)> {
        let path = path.trim_start_matches('/');
        self.0.iter().find(|(prefix, _)| {
            let rest = path.strip_prefix(prefix.as_str());
            rest.is_some_and(|it| prefix.is_empty() || it.is_empty() || it.starts_with('/'))
        })
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.0.iter().map(|(path, _)| path);
        f.debug_list().entries(paths).finish()
    }
}

/// A [`Route`] whose type is not known.
pub(super) trait Answer: Send + Sync {
    fn answer(&self, request: Request)
    -> Pin<Box<dyn Future<Output = Response<Body>> + Send + '_>>;
}

impl<R: Route> Answer for R {
    fn answer(
        &self,
        request: Request,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send + '_>> {
        Box::pin(Route::answer(self, request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_path_that_a_request_is_at_or_below_is_asked() {
        let route = || async |_: Request| Response::new(Body::bytes(""));
        let mut routes = Routes::default();
        for path in ["/a", "a/b/", "/c"] {
            routes.add(path, route());
        }
        for (path, expected) in [
            ("/a", Some("a")),
            ("/a/x", Some("a")),
            ("/a/b", Some("a/b")),
            ("/a/b/c", Some("a/b")),
            ("/ab", None),
            ("/", None),
            ("/c", Some("c")),
        ] {
            let found = routes.find(path).map(|(prefix, _)| prefix.as_str());
            assert_eq!(found, expected, "{path}");
        }
        routes.add("/", route());
        assert!(routes.of("/boot.ipxe").is_some());
    }
}
