//! Option codes with the type of their value.

use super::shown::{Show, Shown, ipxe_options};
use super::{
    AddressPair, Arch, Authentication, ClasslessRoute, ClientId, DomainSearch, Enterprise,
    MachineId, MessageType, NetworkInterface, Parameters, ReadError, SubOptions, Text, UserClass,
    Value, ValueError, VendorClass,
};
use crate::Seconds;
use crate::wire::OptionCode;
use alloc::{borrow::Cow, vec::Vec};
use bytes::Bytes;
use core::fmt;
use core::marker::PhantomData;
use core::net::Ipv4Addr;

/// An option's code, and the type that its value has.
pub struct Key<T> {
    code: OptionCode,
    value: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// Ties `code` to the type `T`.
    #[must_use]
    pub const fn new(code: OptionCode) -> Self {
        Self {
            code,
            value: PhantomData,
        }
    }

    /// The option's code.
    #[must_use]
    pub const fn code(self) -> OptionCode {
        self.code
    }
}

impl<T: Value> Key<T> {
    /// Reads the value from the option's occurrences, in order.
    pub(crate) fn read<'a>(
        self,
        mut occurrences: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<T>, ReadError> {
        let Some(first) = occurrences.next() else {
            return Ok(None);
        };
        let mut data = Cow::Borrowed(first);
        if T::LEN != Some(first.len()) {
            for more in occurrences {
                data.to_mut().extend_from_slice(more);
            }
        }
        T::decode(&data).map(Some).map_err(|cause| ReadError {
            code: self.code,
            cause,
        })
    }

    fn show<'a>(
        self,
        occurrences: impl Iterator<Item = &'a [u8]>,
        show: impl FnOnce(&T) -> Shown,
    ) -> Option<Result<Shown, ReadError>> {
        let value = self.read(occurrences).transpose()?;
        Some(value.map(|value| show(&value)))
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.code).finish()
    }
}

macro_rules! keys {
    ($($name:ident: $type:ty, $text:literal;)*) => {
        $(
            #[doc = $text]
            pub const $name: Key<$type> = Key::new(OptionCode::$name);
        )*

        /// The value in an option's occurrences, where the type of its code is known.
        fn typed<'a>(
            code: OptionCode,
            occurrences: impl Iterator<Item = &'a [u8]>,
        ) -> Option<Result<Shown, ReadError>> {
            match code {
                $(OptionCode::$name => $name.show(occurrences, Show::show),)*
                _ => None,
            }
        }
    };
}

/// The value in an option's occurrences, to be shown; `None` where the type of its code is not
/// known.
pub(crate) fn show<'a>(
    code: OptionCode,
    occurrences: impl Iterator<Item = &'a [u8]>,
) -> Option<Result<Shown, ValueError>> {
    let shown = match code {
        OptionCode::IPXE => IPXE.show(occurrences, ipxe_options),
        _ => typed(code, occurrences),
    };
    shown.map(|shown| shown.map_err(|error| error.cause))
}

keys! {
    SUBNET_MASK: Ipv4Addr, "Option 1, the subnet mask (RFC 2132 section 3.3).";
    TIME_OFFSET: i32, "Option 2, seconds that the client is east of UTC (RFC 2132 section 3.4).";
    ROUTERS: Vec<Ipv4Addr>, "Option 3, gateways in order of preference (RFC 2132 section 3.5).";
    TIME_SERVERS: Vec<Ipv4Addr>, "Option 4, RFC 868 time servers (RFC 2132 section 3.6).";
    NAME_SERVERS: Vec<Ipv4Addr>, "Option 5, IEN 116 name servers (RFC 2132 section 3.7).";
    DNS_SERVERS: Vec<Ipv4Addr>, "Option 6, name servers in order of preference (RFC 2132 section 3.8).";
    LOG_SERVERS: Vec<Ipv4Addr>, "Option 7, log servers (RFC 2132 section 3.9).";
    QUOTES_SERVERS: Vec<Ipv4Addr>, "Option 8, quote of the day servers (RFC 2132 section 3.10).";
    LPR_SERVERS: Vec<Ipv4Addr>, "Option 9, line printer servers (RFC 2132 section 3.11).";
    IMPRESS_SERVERS: Vec<Ipv4Addr>, "Option 10, Imagen Impress servers (RFC 2132 section 3.12).";
    RLP_SERVERS: Vec<Ipv4Addr>, "Option 11, resource location servers (RFC 2132 section 3.13).";
    HOST_NAME: Text, "Option 12, the client's name (RFC 2132 section 3.14).";
    BOOT_FILE_SIZE: u16, "Option 13, the boot image in blocks of 512 bytes (RFC 2132 section 3.15).";
    MERIT_DUMP_FILE: Text, "Option 14, where the client dumps its core (RFC 2132 section 3.16).";
    DOMAIN_NAME: Text, "Option 15, the client's domain (RFC 2132 section 3.17).";
    SWAP_SERVER: Ipv4Addr, "Option 16, the swap server (RFC 2132 section 3.18).";
    ROOT_PATH: Text, "Option 17, the root disk, an NFS path or a SAN URI (RFC 2132 section 3.19).";
    EXTENSION_FILE: Text, "Option 18, a file of further options (RFC 2132 section 3.20).";
    FORWARDING: bool, "Option 19, whether the client forwards packets (RFC 2132 section 4.1).";
    SOURCE_ROUTING: bool, "Option 20, whether it forwards source-routed ones (RFC 2132 section 4.2).";
    POLICY_FILTER: Vec<AddressPair>, "Option 21, from where, by which masks (RFC 2132 section 4.3).";
    MAX_REASSEMBLY: u16, "Option 22, the longest datagram to reassemble, at least 576 (RFC 2132 section 4.4).";
    DEFAULT_IP_TTL: u8, "Option 23, the IP time to live (RFC 2132 section 4.5).";
    MTU_TIMEOUT: Seconds, "Option 24, how long a discovered path MTU holds (RFC 2132 section 4.6).";
    MTU_PLATEAU: Vec<u16>, "Option 25, the path MTUs to try (RFC 2132 section 4.7).";
    INTERFACE_MTU: u16, "Option 26, the interface's MTU, at least 68 (RFC 2132 section 5.1).";
    ALL_SUBNETS_LOCAL: bool, "Option 27, whether all subnets have that MTU (RFC 2132 section 5.2).";
    BROADCAST_ADDRESS: Ipv4Addr, "Option 28, the subnet's broadcast address (RFC 2132 section 5.3).";
    MASK_DISCOVERY: bool, "Option 29, whether to find the mask by ICMP (RFC 2132 section 5.4).";
    MASK_SUPPLIER: bool, "Option 30, whether to answer such requests (RFC 2132 section 5.5).";
    ROUTER_DISCOVERY: bool, "Option 31, whether to solicit routers (RFC 2132 section 5.6).";
    ROUTER_REQUEST: Ipv4Addr, "Option 32, where to (RFC 2132 section 5.7).";
    STATIC_ROUTES: Vec<AddressPair>, "Option 33, destinations and routers (RFC 2132 section 5.8).";
    TRAILERS: bool, "Option 34, whether to negotiate trailers (RFC 2132 section 6.1).";
    ARP_TIMEOUT: Seconds, "Option 35, how long ARP entries hold (RFC 2132 section 6.2).";
    ETHERNET_ENCAPSULATION: bool, "Option 36, whether to use IEEE 802.3 framing (RFC 2132 section 6.3).";
    DEFAULT_TCP_TTL: u8, "Option 37, TCP's time to live (RFC 2132 section 7.1).";
    KEEPALIVE_TIME: Seconds, "Option 38, TCP's keepalive time, 0 for none (RFC 2132 section 7.2).";
    KEEPALIVE_DATA: bool, "Option 39, whether it carries a byte of data (RFC 2132 section 7.3).";
    NIS_DOMAIN: Text, "Option 40, the NIS domain (RFC 2132 section 8.1).";
    NIS_SERVERS: Vec<Ipv4Addr>, "Option 41, NIS servers (RFC 2132 section 8.2).";
    NTP_SERVERS: Vec<Ipv4Addr>, "Option 42, NTP servers (RFC 2132 section 8.3).";
    VENDOR_SPECIFIC: SubOptions, "Option 43, sub-options as the vendor class has them (RFC 2132 section 8.4; [`pxe`](super::pxe)).";
    NETBIOS_NAME_SERVERS: Vec<Ipv4Addr>, "Option 44, NetBIOS name servers (RFC 2132 section 8.5).";
    NETBIOS_DISTRIBUTION_SERVERS: Vec<Ipv4Addr>, "Option 45, NetBIOS datagram servers (RFC 2132 section 8.6).";
    NETBIOS_NODE_TYPE: u8, "Option 46: 1 B-node, 2 P-node, 4 M-node, 8 H-node (RFC 2132 section 8.7).";
    NETBIOS_SCOPE: Bytes, "Option 47, the NetBIOS scope (RFC 2132 section 8.8).";
    X_FONT_SERVERS: Vec<Ipv4Addr>, "Option 48, X font servers (RFC 2132 section 8.9).";
    X_DISPLAY_MANAGERS: Vec<Ipv4Addr>, "Option 49, X display managers (RFC 2132 section 8.10).";
    REQUESTED_ADDRESS: Ipv4Addr, "Option 50, the address the client wants (RFC 2132 section 9.1).";
    LEASE_TIME: Seconds, "Option 51, the lease's time (RFC 2132 section 9.2).";
    OVERLOAD: u8, "Option 52: 1 `file`, 2 `sname`, 3 both hold options (RFC 2132 section 9.3).";
    MESSAGE_TYPE: MessageType, "Option 53, what the message is (RFC 2132 section 9.6).";
    SERVER_ID: Ipv4Addr, "Option 54, the server that speaks or is spoken to (RFC 2132 section 9.7).";
    PARAMETER_LIST: Parameters, "Option 55, the options the client asks for (RFC 2132 section 9.8).";
    MESSAGE: Text, "Option 56, an error's text (RFC 2132 section 9.9).";
    MAX_MESSAGE_SIZE: u16, "Option 57, the longest message the sender takes (RFC 2132 section 9.10).";
    RENEWAL_TIME: Seconds, "Option 58, T1 (RFC 2132 section 9.11).";
    REBINDING_TIME: Seconds, "Option 59, T2 (RFC 2132 section 9.12).";
    VENDOR_CLASS: VendorClass, "Option 60, what the client is (RFC 2132 section 9.13).";
    CLIENT_ID: ClientId, "Option 61, the client's own name for itself (RFC 2132 section 9.14).";
    NETWARE_DOMAIN: Text, "Option 62, the NetWare/IP domain (RFC 2242).";
    NETWARE_OPTION: SubOptions, "Option 63, NetWare/IP's sub-options (RFC 2242).";
    NISPLUS_DOMAIN: Text, "Option 64, the NIS+ domain (RFC 2132 section 8.11).";
    NISPLUS_SERVERS: Vec<Ipv4Addr>, "Option 65, NIS+ servers (RFC 2132 section 8.12).";
    TFTP_SERVER_NAME: Text, "Option 66, the boot server's name or address (RFC 2132 section 9.4).";
    BOOT_FILE_NAME: Text, "Option 67, the boot file's name or URL (RFC 2132 section 9.5).";
    HOME_AGENTS: Vec<Ipv4Addr>, "Option 68, mobile IP home agents (RFC 2132 section 8.13). The RFC lets it be empty for \"none\"; that reads as an error of its length.";
    SMTP_SERVERS: Vec<Ipv4Addr>, "Option 69, SMTP servers (RFC 2132 section 8.14).";
    POP3_SERVERS: Vec<Ipv4Addr>, "Option 70, POP3 servers (RFC 2132 section 8.15).";
    NNTP_SERVERS: Vec<Ipv4Addr>, "Option 71, NNTP servers (RFC 2132 section 8.16).";
    WWW_SERVERS: Vec<Ipv4Addr>, "Option 72, web servers (RFC 2132 section 8.17).";
    FINGER_SERVERS: Vec<Ipv4Addr>, "Option 73, finger servers (RFC 2132 section 8.18).";
    IRC_SERVERS: Vec<Ipv4Addr>, "Option 74, IRC servers (RFC 2132 section 8.19).";
    STREETTALK_SERVERS: Vec<Ipv4Addr>, "Option 75, StreetTalk servers (RFC 2132 section 8.20).";
    STDA_SERVERS: Vec<Ipv4Addr>, "Option 76, StreetTalk directory servers (RFC 2132 section 8.21).";
    USER_CLASS: UserClass, "Option 77, in both forms (RFC 3004, and bare as iPXE sends it).";
    RAPID_COMMIT: (), "Option 80, an address at once (RFC 4039).";
    RELAY_AGENT: SubOptions, "Option 82, what the relay agent added (RFC 3046; [`agent`](super::agent)).";
    AUTHENTICATION: Authentication, "Option 90, what the message is authenticated by (RFC 3118).";
    CLIENT_ARCH: Vec<Arch>, "Option 93, the platforms the client can boot (RFC 4578 section 2.1).";
    CLIENT_NDI: NetworkInterface, "Option 94, the firmware's network driver interface (RFC 4578 section 2.2).";
    MACHINE_ID: MachineId, "Option 97, the machine's UUID (RFC 4578 section 2.3).";
    POSIX_TIMEZONE: Text, "Option 100, the time zone as POSIX writes it (RFC 4833).";
    TZDB_TIMEZONE: Text, "Option 101, the time zone's name (RFC 4833).";
    IPV6_ONLY_PREFERRED: Seconds, "Option 108, how long the client goes without IPv4 (RFC 8925).";
    CAPTIVE_PORTAL: Text, "Option 114, the captive portal's URI (RFC 8910).";
    SUBNET_SELECTION: Ipv4Addr, "Option 118, the subnet that the client wants an address of (RFC 3011).";
    DOMAIN_SEARCH: DomainSearch, "Option 119, the domains to complete names with (RFC 3397).";
    CLASSLESS_ROUTES: Vec<ClasslessRoute>, "Option 121, routes (RFC 3442).";
    VI_VENDOR_CLASS: Vec<Enterprise>, "Option 124, vendor classes by enterprise number (RFC 3925).";
    VI_VENDOR_SPECIFIC: Vec<Enterprise>, "Option 125, sub-options by enterprise number (RFC 3925).";
    TFTP_SERVER_ADDRESS: Vec<Ipv4Addr>, "Option 150, TFTP servers (RFC 5859).";
    IPXE: SubOptions, "Option 175, iPXE's own sub-options ([`ipxe`](super::ipxe)).";
    PXELINUX_MAGIC: u32, "Option 208, 0xf100747e where 209 to 211 are meant for PXELINUX (RFC 5071 section 3).";
    PXELINUX_CONFIG: Text, "Option 209, PXELINUX's configuration file (RFC 5071 section 4).";
    PXELINUX_PATH_PREFIX: Text, "Option 210, PXELINUX's path prefix (RFC 5071 section 5).";
    PXELINUX_REBOOT_TIME: Seconds, "Option 211, seconds until PXELINUX reboots (RFC 5071 section 6).";
    MS_CLASSLESS_ROUTES: Vec<ClasslessRoute>, "Option 249, Microsoft's number for option 121.";
    WPAD: Text, "Option 252, the URL of a proxy configuration.";
}
