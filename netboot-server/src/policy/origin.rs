//! This server as machines reach it.

use std::net::IpAddr;

/// This server as a machine reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The address of this server that the machine asked.
    pub server: IpAddr,
    /// The port of this server's HTTP, or HTTPS.
    pub http_port: u16,
    /// Whether it is HTTPS that the machine asked by.
    pub secure: bool,
}

impl Origin {
    /// The URL of a path on this server, which begins with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.authority())
    }

    /// Address and port, as a URL has them.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = match self.server {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        match (self.http_port, self.secure) {
            (80, false) | (443, true) => host,
            (port, _) => format!("{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_port_where_it_is_not_the_schemes() {
        for (server, http_port, secure, url) in [
            ("192.0.2.1", 80, false, "http://192.0.2.1/a"),
            ("192.0.2.1", 443, false, "http://192.0.2.1:443/a"),
            ("192.0.2.1", 443, true, "https://192.0.2.1/a"),
            ("2001:db8::1", 8080, false, "http://[2001:db8::1]:8080/a"),
        ] {
            let origin = Origin {
                server: server.parse().expect("an address"),
                http_port,
                secure,
            };
            assert_eq!(origin.url("/a"), url);
        }
    }
}
