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
/// Transfers of an endpoint that come before connections, where a quarter of the files is for them;
/// others get what connections leave.
const FIRST_TRANSFERS: usize = 1000;
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
    /// What endpoints may have by the limit that this process has now, and of transfers no more
    /// than `max_transfers`.
    pub(super) fn now(endpoints: &BTreeSet<Endpoint>, max_transfers: u16) -> Self {
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
            max_transfers.into(),
        )
    }

    /// What is there for so many endpoints with connections, and with transfers.
    fn of(limit: usize, http: usize, tftp: usize, max_transfers: usize) -> Self {
        let kept = KEPT.min(limit / 2);
        let left = limit - kept;
        let (http, tftp) = (http.max(1), tftp.max(1));
        let first = max_transfers.clamp(1, FIRST_TRANSFERS);
        let first = (left / 4 / OF_ONE / tftp).clamp(1, first);
        let connections = left.saturating_sub(first * OF_ONE * tftp) / OF_ONE / http;
        let connections = connections.clamp(1, http::MAX_CONNECTIONS);
        let rest = left.saturating_sub(connections * OF_ONE * http) / OF_ONE / tftp;
        let transfers = rest.clamp(first, max_transfers.max(first));
        Self {
            connections,
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
                let shares = Shares::of(limit, http, tftp, 4096);
                let taken = OF_ONE * (http * shares.connections + tftp * shares.transfers);
                let left = limit.saturating_sub(taken + shares.control);
                assert!(left >= limit.min(1024) / 4, "{limit}: {shares:?}");
            }
        }
    }

    #[test]
    fn many_transfers_take_no_connections() {
        for limit in [1024, 16_000, 20_000] {
            let [few, many] = [1000, 4096].map(|most| Shares::of(limit, 2, 1, most));
            assert_eq!(few.connections, many.connections, "{limit}");
            assert!(few.transfers <= many.transfers, "{limit}");
        }
    }

    #[test]
    fn the_limit_of_the_unit_leaves_the_caps_as_they_are() {
        for limit in [65_536, usize::MAX] {
            let shares = Shares::of(limit, 3, 1, 4096);
            assert_eq!((shares.connections, shares.transfers), (4096, 4096));
        }
    }
}
