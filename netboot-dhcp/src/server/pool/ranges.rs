//! The addresses of a network that are given to anybody.

use crate::server::Network;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

/// Ranges of addresses, both ends included; sorted and disjoint.
#[derive(Clone, Debug)]
pub(super) struct Ranges(Vec<(u32, u32)>);

/// A place in the ranges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    range: usize,
    next: u32,
}

impl Cursor {
    pub(super) const fn address(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.next)
    }
}

impl Ranges {
    /// The network's ranges without its exclusions, reserved addresses, server and gateways,
    /// network and broadcast address, and in wide subnets without `.0` and `.255`.
    pub(super) fn of(network: &Network) -> Self {
        Self(dynamic_ranges(network))
    }

    pub(super) fn first(&self) -> Option<Cursor> {
        let (next, _) = *self.0.first()?;
        Some(Cursor { range: 0, next })
    }

    /// The address after the one at `cursor`.
    pub(super) fn after(&self, cursor: Cursor) -> Option<Cursor> {
        let Cursor { range, next } = cursor;
        if next < self.0.get(range)?.1 {
            let next = next + 1;
            return Some(Cursor { range, next });
        }
        let range = range + 1;
        let (next, _) = *self.0.get(range)?;
        Some(Cursor { range, next })
    }

    /// How many addresses they hold.
    pub(super) fn len(&self) -> u64 {
        let each = self.0.iter().map(|(start, end)| u64::from(end - start) + 1);
        each.sum()
    }

    pub(super) fn contains(&self, address: u32) -> bool {
        let at = self.0.partition_point(|(start, _)| *start <= address);
        let range = at.checked_sub(1).and_then(|at| self.0.get(at));
        range.is_some_and(|(_, end)| address <= *end)
    }
}

fn dynamic_ranges(network: &Network) -> Vec<(u32, u32)> {
    let subnet = network.subnet;
    let mut holes: Vec<(u32, u32)> = network
        .exclude
        .iter()
        .map(|range| (range.start.to_bits(), range.end.to_bits()))
        .collect();
    let reserved = network.reservations.iter().filter_map(|one| one.address);
    let own = [network.server]
        .into_iter()
        .chain(network.gateways.iter().copied());
    holes.extend(
        own.chain(reserved)
            .map(|one| (one.to_bits(), one.to_bits())),
    );
    if subnet.prefix() <= 30 {
        for end in [subnet.network(), subnet.broadcast()] {
            holes.push((end.to_bits(), end.to_bits()));
        }
    }
    holes.sort_unstable();

    let mut ranges: Vec<(u32, u32)> = network
        .ranges
        .iter()
        .map(|range| (range.start.to_bits(), range.end.to_bits()))
        .collect();
    ranges.sort_unstable();
    let mut result: Vec<(u32, u32)> = Vec::new();
    for (start, end) in ranges {
        // Overlapping ranges count once.
        let mut from = match result.last() {
            Some((_, last)) if *last >= start => match last.checked_add(1) {
                Some(from) => from,
                None => break,
            },
            _ => start,
        };
        let mut used_up = false;
        for (first, last) in &holes {
            if *last < from || *first > end {
                continue;
            }
            if *first > from {
                result.push((from, *first - 1));
            }
            match last.checked_add(1) {
                Some(after) => from = after,
                None => used_up = true,
            }
        }
        if !used_up && from <= end {
            result.push((from, end));
        }
    }
    if subnet.prefix() < 24 {
        result = result.into_iter().flat_map(without_odd_hosts).collect();
    }
    result
}

/// Splits a range at its `.0` and `.255` addresses, and leaves those out.
fn without_odd_hosts((start, end): (u32, u32)) -> impl Iterator<Item = (u32, u32)> {
    let first_block = start >> 8;
    let last_block = end >> 8;
    (first_block..=last_block).filter_map(move |block| {
        let from = (block << 8 | 1).max(start);
        let to = (block << 8 | 254).min(end);
        (from <= to).then_some((from, to))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MacAddr;
    use crate::server::{AddressRange, Link, NetworkId, Reservation};
    use std::string::{String, ToString};
    use std::vec;

    fn address(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    fn network(subnet: &str, start: &str, end: &str) -> Network {
        let subnet = subnet.parse().unwrap();
        let mut network = Network::new(NetworkId(1), Link::Interface(1), subnet, address(1));
        network.ranges = vec![AddressRange::new(
            start.parse().unwrap(),
            end.parse().unwrap(),
        )];
        network
    }

    fn shown(network: &Network) -> Vec<String> {
        Ranges::of(network)
            .0
            .into_iter()
            .map(|(start, end)| {
                AddressRange::new(Ipv4Addr::from_bits(start), Ipv4Addr::from_bits(end)).to_string()
            })
            .collect()
    }

    #[test]
    fn ranges_leave_out_ends_exclusions_own_and_reserved_addresses() {
        let mut network = network("10.0.0.0/24", "10.0.0.0", "10.0.0.255");
        network.exclude = vec![AddressRange::new(address(100), address(109))];
        network.gateways = vec![address(254)];
        network.reservations =
            vec![Reservation::new(MacAddr([2, 0, 0, 0, 0, 1])).with_address(address(50))];
        network
            .ranges
            .push(AddressRange::new(address(20), address(30)));
        assert_eq!(
            shown(&network),
            vec![
                "10.0.0.2-10.0.0.49",
                "10.0.0.51-10.0.0.99",
                "10.0.0.110-10.0.0.253"
            ]
        );
    }

    #[test]
    fn what_is_between_two_ranges_is_not_given() {
        let mut network = network("10.0.0.0/24", "10.0.0.10", "10.0.0.12");
        let second = AddressRange::new(address(20), address(22));
        network.ranges.push(second);
        let expected = vec!["10.0.0.10-10.0.0.12", "10.0.0.20-10.0.0.22"];
        assert_eq!(shown(&network), expected);
    }

    #[test]
    fn wide_subnet_leaves_out_hosts_that_end_in_0_or_255() {
        let network = network("172.16.0.0/22", "172.16.0.200", "172.16.2.10");
        assert_eq!(
            shown(&network),
            vec![
                "172.16.0.200-172.16.0.254",
                "172.16.1.1-172.16.1.254",
                "172.16.2.1-172.16.2.10"
            ]
        );
    }
}
