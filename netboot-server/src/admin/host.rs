//! Which server a request to the API is meant for.
//!
//! A page of another site may lead its own name to this server's address (DNS rebinding), and then
//! read what the browser of somebody here is answered. Its requests name that site as their host.

use std::net::IpAddr;
use std::str::FromStr;

use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::http::uri::Authority;

/// Whether a request is for this server: by an address, which leads nowhere else, by `localhost`,
/// or by one of these names. What names no host comes from no browser.
pub(super) fn is_meant<'n>(request: &Parts, mut names: impl Iterator<Item = &'n str>) -> bool {
    let written = request.headers.get(HOST).map(|host| host.as_bytes());
    let written = written.map(Authority::try_from).transpose();
    let Ok(written) = written else {
        return false;
    };
    // RFC 9112, 3.2.2: what is in the target counts, where it is there.
    let Some(authority) = request.uri.authority().or(written.as_ref()) else {
        return true;
    };
    let host = authority.host().trim_end_matches('.');
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    IpAddr::from_str(literal).is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || names.any(|name| host.eq_ignore_ascii_case(name.trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn is_answered(target: &str, host: Option<&str>) -> bool {
        let mut request = Request::get(target);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        let (request, ()) = request.body(()).expect("a request").into_parts();
        is_meant(&request, ["boot.example.org", "boot"].into_iter())
    }

    #[test]
    fn addresses_localhost_and_the_servers_own_names_are_answered() {
        for host in [
            "127.0.0.1:9069",
            "192.168.100.1",
            "[::1]:9069",
            "[fe80::1]",
            "localhost:9069",
            "LOCALHOST",
            "boot:9069",
            "Boot.Example.org",
            "boot.example.org.:9069",
        ] {
            assert!(is_answered("/metrics", Some(host)), "{host}");
        }
        assert!(is_answered("/metrics", None));
        assert!(is_answered("http://127.0.0.1/metrics", Some("127.0.0.1")));
    }

    #[test]
    fn a_name_of_somebody_elses_is_not_answered() {
        for host in [
            "rebind.example.com:9069",
            "127.0.0.1.example.com",
            "localhost.example.com",
            "boot.example.org.example.com",
            "boot@example.com",
            "",
            "::1",
            "a b",
        ] {
            assert!(!is_answered("/metrics", Some(host)), "{host}");
        }
        let proxied = "http://rebind.example.com/metrics";
        assert!(!is_answered(proxied, Some("127.0.0.1")));
    }
}
