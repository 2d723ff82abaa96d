//! Option 53: what a message is (RFC 2132 section 9.6 and later registrations).

use super::{Value, ValueError};
use alloc::vec::Vec;
use core::fmt;

/// The type of a DHCP message: an open registry.
///
/// Displayed as log lines write it: `DHCPDISCOVER`, or `DHCP-99` where there is no name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageType(pub u8);

macro_rules! types {
    ($($name:ident = $value:literal, $text:literal, $doc:literal;)*) => {
        impl MessageType {
            $(#[doc = $doc] pub const $name: Self = Self($value);)*

            /// The registered name, where there is one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

types! {
    DISCOVER = 1, "DHCPDISCOVER", "A client looks for servers.";
    OFFER = 2, "DHCPOFFER", "A server's proposal.";
    REQUEST = 3, "DHCPREQUEST", "A client takes a proposal, or extends what it has.";
    DECLINE = 4, "DHCPDECLINE", "A client found the address in use.";
    ACK = 5, "DHCPACK", "The server's yes.";
    NAK = 6, "DHCPNAK", "The server's no: begin again.";
    RELEASE = 7, "DHCPRELEASE", "A client gives its address back.";
    INFORM = 8, "DHCPINFORM", "A client with an address asks for options only.";
    FORCERENEW = 9, "DHCPFORCERENEW", "RFC 3203.";
    LEASEQUERY = 10, "DHCPLEASEQUERY", "RFC 4388.";
    LEASEUNASSIGNED = 11, "DHCPLEASEUNASSIGNED", "RFC 4388.";
    LEASEUNKNOWN = 12, "DHCPLEASEUNKNOWN", "RFC 4388.";
    LEASEACTIVE = 13, "DHCPLEASEACTIVE", "RFC 4388.";
    BULKLEASEQUERY = 14, "DHCPBULKLEASEQUERY", "RFC 6926.";
    LEASEQUERYDONE = 15, "DHCPLEASEQUERYDONE", "RFC 6926.";
    ACTIVELEASEQUERY = 16, "DHCPACTIVELEASEQUERY", "RFC 7724.";
    LEASEQUERYSTATUS = 17, "DHCPLEASEQUERYSTATUS", "RFC 7724.";
    TLS = 18, "DHCPTLS", "RFC 7724.";
}

impl Value for MessageType {
    const LEN: Option<usize> = Some(1);

    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        u8::decode(data).map(Self)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.0);
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "DHCP-{}", self.0),
        }
    }
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
