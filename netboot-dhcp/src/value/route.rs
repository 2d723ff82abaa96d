//! Routes: classless (option 121, RFC 3442; 249 is Microsoft's number for the same), and RFC 2132's
//! older pairs of addresses (options 21 and 33).

use super::{Value, ValueError, items};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

/// One route of option 121 or 249. A client that takes the option passes over option 3, so that a
/// default route is to be among them.
///
/// ```
/// use netboot_dhcp::value::{ClasslessRoute, Value};
///
/// let routes = Vec::<ClasslessRoute>::decode(&[24, 10, 17, 0, 10, 0, 0, 1])?;
/// assert_eq!(routes[0].destination().to_string(), "10.17.0.0");
/// assert_eq!((routes[0].prefix(), routes[0].router().to_string()), (24, "10.0.0.1".into()));
/// # Ok::<(), netboot_dhcp::value::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClasslessRoute {
    destination: Ipv4Addr,
    prefix: u8,
    router: Ipv4Addr,
}

impl ClasslessRoute {
    /// The route to the subnet that `destination` is in; `None` where the prefix is above 32.
    #[must_use]
    pub const fn new(destination: Ipv4Addr, prefix: u8, router: Ipv4Addr) -> Option<Self> {
        if prefix > 32 {
            return None;
        }
        let mask = match u32::MAX.checked_shl(32 - prefix as u32) {
            Some(mask) => mask,
            None => 0,
        };
        Some(Self {
            destination: Ipv4Addr::from_bits(destination.to_bits() & mask),
            prefix,
            router,
        })
    }

    /// The subnet's address.
    #[must_use]
    pub const fn destination(&self) -> Ipv4Addr {
        self.destination
    }

    /// The subnet's prefix length, 0 to 32.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// The router; 0.0.0.0 where the subnet is on the client's own link.
    #[must_use]
    pub const fn router(&self) -> Ipv4Addr {
        self.router
    }
}

/// At least one route: a prefix length, as many bytes of the subnet as it needs, and the router.
impl Value for Vec<ClasslessRoute> {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        let mut routes = Self::new();
        let mut rest = data;
        while let [prefix, after @ ..] = rest {
            let offset = data.len() - rest.len();
            let significant = usize::from(*prefix).div_ceil(8);
            let split = after
                .split_at_checked(significant)
                .and_then(|(subnet, after)| Some((subnet, after.split_first_chunk::<4>()?)));
            let Some((subnet, (router, after))) = split else {
                return Err(ValueError::Truncated { offset });
            };
            let mut octets = [0; 4];
            for (slot, octet) in octets.iter_mut().zip(subnet) {
                *slot = *octet;
            }
            let router = Ipv4Addr::from(*router);
            let Some(route) = ClasslessRoute::new(octets.into(), *prefix, router) else {
                return Err(ValueError::Item { offset });
            };
            routes.push(route);
            rest = after;
        }
        if routes.is_empty() {
            return Err(ValueError::TooShort { least: 5, found: 0 });
        }
        Ok(routes)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for route in self {
            let significant = usize::from(route.prefix).div_ceil(8);
            out.push(route.prefix);
            out.extend(route.destination.octets().iter().take(significant));
            out.extend(route.router.octets());
        }
    }
}

/// Two addresses that belong together: in option 21 a destination and its mask, in option 33 a
/// destination and its router (RFC 2132 sections 4.3 and 5.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressPair {
    /// The destination.
    pub destination: Ipv4Addr,
    /// Its mask, or its router.
    pub by: Ipv4Addr,
}

/// At least one pair.
impl Value for Vec<AddressPair> {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        items::<8, _>(data, |[a, b, c, d, e, f, g, h]| AddressPair {
            destination: Ipv4Addr::new(a, b, c, d),
            by: Ipv4Addr::new(e, f, g, h),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for pair in self {
            out.extend(pair.destination.octets());
            out.extend(pair.by.octets());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;
    use std::vec;

    #[test]
    fn classless_routes_have_only_the_bytes_that_their_prefix_needs() {
        // The examples of RFC 3442's table, to 10.0.0.1.
        for (prefix, subnet, expected) in [
            (0, "0.0.0.0", vec![0]),
            (8, "10.0.0.0", vec![8, 10]),
            (24, "10.0.0.0", vec![24, 10, 0, 0]),
            (16, "10.17.0.0", vec![16, 10, 17]),
            (24, "10.27.129.0", vec![24, 10, 27, 129]),
            (25, "10.229.0.128", vec![25, 10, 229, 0, 128]),
            (32, "10.198.122.47", vec![32, 10, 198, 122, 47]),
        ] {
            let wire = [expected, vec![10, 0, 0, 1]].concat();
            let routes = Vec::<ClasslessRoute>::decode(&wire).unwrap();
            assert_eq!(routes[0].prefix(), prefix);
            assert_eq!(routes[0].destination().to_string(), subnet);
            let mut out = Vec::new();
            routes.encode(&mut out);
            assert_eq!(out, wire);
        }
    }

    #[test]
    fn classless_route_of_a_wrong_prefix_or_length_is_an_error_with_its_offset() {
        let good = [8, 10, 10, 0, 0, 1];
        let with = |tail: &[u8]| Vec::<ClasslessRoute>::decode(&[&good[..], tail].concat());
        let offset = 6;
        assert_eq!(
            with(&[33, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
            Err(ValueError::Item { offset })
        );
        assert_eq!(
            with(&[24, 10, 0, 0, 10, 0, 0]),
            Err(ValueError::Truncated { offset })
        );
        assert!(Vec::<ClasslessRoute>::decode(&[]).is_err());
    }
}
