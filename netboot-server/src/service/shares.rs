//! How the files that a process may have open are shared out, so that connections of one kind leave
//! some for everything else.

use std::collections::BTreeSet;

use rustix::process::{Resource, getrlimit};

use super::endpoint::Endpoint;
use crate::http;

/// Files that are kept for leases, images, interfaces and the control socket.
const KEPT: usize = 512;
/// A connection, and the file that goes out over it; a transfer likewise.
const OF_ONE: usize = 2;
/// Connections of the control socket, of those that are kept.
const CONTROL: usize = 64;

/// How much each endpoint may have at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shares {
    /// Connections of HTTP, HTTPS and the API.
    pub(super) connections: usize,
    /// Connections of the control socket.
    pub(super) control: usize,
    /// Transfers by TFTP.
    pub(super) transfers: usize,
}

impl Shares {
    /// What endpoints may have by the limit that this process has now.
    pub(super) fn now(endpoints: &BTreeSet<Endpoint>) -> Self {
        let limit = getrlimit(Resource::Nofile).current;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        let count =
            |is_such: fn(&Endpoint) -> bool| endpoints.iter().filter(|one| is_such(one)).count();
        let connections = |one: &Endpoint| {
            matches!(
                one,
                Endpoint::Http(_) | Endpoint::Https(_) | Endpoint::Admin(_)
            )
        };
        Self::of(
            limit.unwrap_or(usize::MAX),
            count(connections),
            count(|one| matches!(one, Endpoint::Tftp(_))),
        )
    }

    /// What is there for so many endpoints with connections, and with transfers.
    fn of(limit: usize, http: usize, tftp: usize) -> Self {
        let kept = KEPT.min(limit / 2);
        let mut left = limit - kept;
        let most = netboot_tftp::server::Settings::default().max_transfers;
        let transfers = (left / 4 / OF_ONE / tftp.max(1)).clamp(1, most);
        left -= (transfers * OF_ONE * tftp).min(left);
        let connections = left / OF_ONE / http.max(1);
        Self {
            connections: connections.clamp(1, http::MAX_CONNECTIONS),
            control: CONTROL.min(kept / 4).max(1),
            transfers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_endpoints_may_have_leaves_some_files_for_the_control_socket() {
        for limit in [64, 256, 1024, 4096, 20_000, 65_536] {
            for (http, tftp) in [(1, 1), (2, 1), (9, 4)] {
                let shares = Shares::of(limit, http, tftp);
                let taken = OF_ONE * (http * shares.connections + tftp * shares.transfers);
                let left = limit.saturating_sub(taken + shares.control);
                assert!(left >= limit.min(1024) / 4, "{limit}: {shares:?}");
            }
        }
    }

    #[test]
    fn the_limit_of_the_unit_leaves_the_caps_as_they_are() {
        for limit in [65_536, usize::MAX] {
            let shares = Shares::of(limit, 3, 1);
            assert_eq!((shares.connections, shares.transfers), (4096, 1000));
        }
    }
}
