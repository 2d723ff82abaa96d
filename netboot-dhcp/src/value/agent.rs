//! Option 82: the registered sub-options that relay agents add (IANA "DHCP Relay Agent Sub-Option
//! Codes"), for [`SubOptions::read`](super::SubOptions::read).

/// 1: the circuit that the request came in by, in the agent's own words (RFC 3046 section 3.1).
pub const CIRCUIT_ID: u8 = 1;
/// 2: the remote end of the circuit (RFC 3046 section 3.2).
pub const REMOTE_ID: u8 = 2;
/// 4: the cable modem's device class, 4 bytes (RFC 3256).
pub const DOCSIS_DEVICE_CLASS: u8 = 4;
/// 5: an address of the client's link, where `giaddr` is not one, an `Ipv4Addr` (RFC 3527).
pub const LINK_SELECTION: u8 = 5;
/// 6: the subscriber, a text (RFC 3993).
pub const SUBSCRIBER_ID: u8 = 6;
/// 7: attributes of the client's RADIUS session (RFC 4014).
pub const RADIUS_ATTRIBUTES: u8 = 7;
/// 8: a digest over the message (RFC 4030). It is not checked here.
pub const AUTHENTICATION: u8 = 8;
/// 9: what vendors add by their enterprise numbers (RFC 4243), a list of
/// [`Enterprise`](super::Enterprise).
pub const VENDOR_SPECIFIC: u8 = 9;
/// 10: flags, a `u8`; bit 7 says that the agent got the request by unicast (RFC 5010).
pub const FLAGS: u8 = 10;
/// 11: the address that the server is to go by in option 54, so that renewals pass the agent,
/// an `Ipv4Addr` (RFC 5107).
pub const SERVER_ID_OVERRIDE: u8 = 11;
/// 12: the agent's own identifier (RFC 6925).
pub const RELAY_ID: u8 = 12;
/// 13: the access network's technology (RFC 7839).
pub const ACCESS_TECHNOLOGY: u8 = 13;
/// 14: the access network's name (RFC 7839).
pub const ACCESS_NETWORK_NAME: u8 = 14;
/// 15: the access point's name (RFC 7839).
pub const ACCESS_POINT_NAME: u8 = 15;
/// 16: the access point's BSSID (RFC 7839).
pub const ACCESS_POINT_BSSID: u8 = 16;
/// 17: the operator's identifier (RFC 7839).
pub const OPERATOR_ID: u8 = 17;
/// 18: the operator's realm (RFC 7839).
pub const OPERATOR_REALM: u8 = 18;
/// 19: the agent sends from another port than 67, and wants the reply there (RFC 8357).
pub const SOURCE_PORT: u8 = 19;
/// 151: the client's virtual subnet (RFC 6607).
pub const VIRTUAL_SUBNET: u8 = 151;
/// 152: asks whether the server knows sub-option 151 (RFC 6607). It is not known here, and so this
/// one is echoed, as the RFC has it.
pub const VIRTUAL_SUBNET_CONTROL: u8 = 152;
