//! Option codes and their names in the IANA registry "BOOTP Vendor Extensions and DHCP Options",
//! plus the unregistered ones that network boot meets (175, 203, 249, 252).

use core::fmt;

/// A DHCP option's code: an open registry, so any byte is one.
///
/// ```
/// use netboot_dhcp::wire::OptionCode;
///
/// assert_eq!(OptionCode::LEASE_TIME, OptionCode(51));
/// assert_eq!(OptionCode(51).name(), Some("Address Time"));
/// assert_eq!(OptionCode(224).name(), None);
/// assert_eq!(OptionCode(224).to_string(), "224");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct OptionCode(pub u8);

macro_rules! registry {
    ($($constant:ident = $code:literal, $name:literal;)*) => {
        impl OptionCode {
            $(
                #[doc = concat!("Option ", stringify!($code), ": ", $name, ".")]
                pub const $constant: Self = Self($code);
            )*

            /// The registered name, where the code has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

registry! {
    PAD = 0, "Pad";
    SUBNET_MASK = 1, "Subnet Mask";
    TIME_OFFSET = 2, "Time Offset";
    ROUTERS = 3, "Router";
    TIME_SERVERS = 4, "Time Server";
    NAME_SERVERS = 5, "Name Server";
    DNS_SERVERS = 6, "Domain Server";
    LOG_SERVERS = 7, "Log Server";
    QUOTES_SERVERS = 8, "Quotes Server";
    LPR_SERVERS = 9, "LPR Server";
    IMPRESS_SERVERS = 10, "Impress Server";
    RLP_SERVERS = 11, "RLP Server";
    HOST_NAME = 12, "Hostname";
    BOOT_FILE_SIZE = 13, "Boot File Size";
    MERIT_DUMP_FILE = 14, "Merit Dump File";
    DOMAIN_NAME = 15, "Domain Name";
    SWAP_SERVER = 16, "Swap Server";
    ROOT_PATH = 17, "Root Path";
    EXTENSION_FILE = 18, "Extension File";
    FORWARDING = 19, "Forward On/Off";
    SOURCE_ROUTING = 20, "SrcRte On/Off";
    POLICY_FILTER = 21, "Policy Filter";
    MAX_REASSEMBLY = 22, "Max DG Assembly";
    DEFAULT_IP_TTL = 23, "Default IP TTL";
    MTU_TIMEOUT = 24, "MTU Timeout";
    MTU_PLATEAU = 25, "MTU Plateau";
    INTERFACE_MTU = 26, "MTU Interface";
    ALL_SUBNETS_LOCAL = 27, "MTU Subnet";
    BROADCAST_ADDRESS = 28, "Broadcast Address";
    MASK_DISCOVERY = 29, "Mask Discovery";
    MASK_SUPPLIER = 30, "Mask Supplier";
    ROUTER_DISCOVERY = 31, "Router Discovery";
    ROUTER_REQUEST = 32, "Router Request";
    STATIC_ROUTES = 33, "Static Route";
    TRAILERS = 34, "Trailers";
    ARP_TIMEOUT = 35, "ARP Timeout";
    ETHERNET_ENCAPSULATION = 36, "Ethernet";
    DEFAULT_TCP_TTL = 37, "Default TCP TTL";
    KEEPALIVE_TIME = 38, "Keepalive Time";
    KEEPALIVE_DATA = 39, "Keepalive Data";
    NIS_DOMAIN = 40, "NIS Domain";
    NIS_SERVERS = 41, "NIS Servers";
    NTP_SERVERS = 42, "NTP Servers";
    VENDOR_SPECIFIC = 43, "Vendor Specific";
    NETBIOS_NAME_SERVERS = 44, "NETBIOS Name Srv";
    NETBIOS_DISTRIBUTION_SERVERS = 45, "NETBIOS Dist Srv";
    NETBIOS_NODE_TYPE = 46, "NETBIOS Node Type";
    NETBIOS_SCOPE = 47, "NETBIOS Scope";
    X_FONT_SERVERS = 48, "X Window Font";
    X_DISPLAY_MANAGERS = 49, "X Window Manager";
    REQUESTED_ADDRESS = 50, "Address Request";
    LEASE_TIME = 51, "Address Time";
    OVERLOAD = 52, "Overload";
    MESSAGE_TYPE = 53, "DHCP Msg Type";
    SERVER_ID = 54, "DHCP Server Id";
    PARAMETER_LIST = 55, "Parameter List";
    MESSAGE = 56, "DHCP Message";
    MAX_MESSAGE_SIZE = 57, "DHCP Max Msg Size";
    RENEWAL_TIME = 58, "Renewal Time";
    REBINDING_TIME = 59, "Rebinding Time";
    VENDOR_CLASS = 60, "Class Id";
    CLIENT_ID = 61, "Client Id";
    NETWARE_DOMAIN = 62, "NetWare/IP Domain";
    NETWARE_OPTION = 63, "NetWare/IP Option";
    NISPLUS_DOMAIN = 64, "NIS-Domain-Name";
    NISPLUS_SERVERS = 65, "NIS-Server-Addr";
    TFTP_SERVER_NAME = 66, "Server-Name";
    BOOT_FILE_NAME = 67, "Bootfile-Name";
    HOME_AGENTS = 68, "Home-Agent-Addrs";
    SMTP_SERVERS = 69, "SMTP-Server";
    POP3_SERVERS = 70, "POP3-Server";
    NNTP_SERVERS = 71, "NNTP-Server";
    WWW_SERVERS = 72, "WWW-Server";
    FINGER_SERVERS = 73, "Finger-Server";
    IRC_SERVERS = 74, "IRC-Server";
    STREETTALK_SERVERS = 75, "StreetTalk-Server";
    STDA_SERVERS = 76, "STDA-Server";
    USER_CLASS = 77, "User-Class";
    DIRECTORY_AGENT = 78, "Directory Agent";
    SERVICE_SCOPE = 79, "Service Scope";
    RAPID_COMMIT = 80, "Rapid Commit";
    CLIENT_FQDN = 81, "Client FQDN";
    RELAY_AGENT = 82, "Relay Agent Information";
    ISNS = 83, "iSNS";
    NDS_SERVERS = 85, "NDS Servers";
    NDS_TREE = 86, "NDS Tree Name";
    NDS_CONTEXT = 87, "NDS Context";
    BCMCS_DOMAINS = 88, "BCMCS Controller Domain Name list";
    BCMCS_ADDRESSES = 89, "BCMCS Controller IPv4 address option";
    AUTHENTICATION = 90, "Authentication";
    LAST_TRANSACTION_TIME = 91, "client-last-transaction-time option";
    ASSOCIATED_IP = 92, "associated-ip option";
    CLIENT_ARCH = 93, "Client System";
    CLIENT_NDI = 94, "Client NDI";
    LDAP = 95, "LDAP";
    MACHINE_ID = 97, "UUID/GUID";
    USER_AUTH = 98, "User-Auth";
    GEOCONF_CIVIC = 99, "GEOCONF_CIVIC";
    POSIX_TIMEZONE = 100, "PCode";
    TZDB_TIMEZONE = 101, "TCode";
    IPV6_ONLY_PREFERRED = 108, "IPv6-Only Preferred";
    DHCP4O6_S46_SADDR = 109, "OPTION_DHCP4O6_S46_SADDR";
    NETINFO_ADDRESS = 112, "Netinfo Address";
    NETINFO_TAG = 113, "Netinfo Tag";
    CAPTIVE_PORTAL = 114, "DHCP Captive-Portal";
    AUTO_CONFIG = 116, "Auto-Config";
    NAME_SERVICE_SEARCH = 117, "Name Service Search";
    SUBNET_SELECTION = 118, "Subnet Selection Option";
    DOMAIN_SEARCH = 119, "Domain Search";
    SIP_SERVERS = 120, "SIP Servers DHCP Option";
    CLASSLESS_ROUTES = 121, "Classless Static Route Option";
    CCC = 122, "CCC";
    GEOCONF = 123, "GeoConf Option";
    VI_VENDOR_CLASS = 124, "V-I Vendor Class";
    VI_VENDOR_SPECIFIC = 125, "V-I Vendor-Specific Information";
    PXE_128 = 128, "PXE - undefined (vendor specific)";
    PXE_129 = 129, "PXE - undefined (vendor specific)";
    PXE_130 = 130, "PXE - undefined (vendor specific)";
    PXE_131 = 131, "PXE - undefined (vendor specific)";
    PXE_132 = 132, "PXE - undefined (vendor specific)";
    PXE_133 = 133, "PXE - undefined (vendor specific)";
    PXE_134 = 134, "PXE - undefined (vendor specific)";
    PXE_135 = 135, "PXE - undefined (vendor specific)";
    PANA_AGENT = 136, "OPTION_PANA_AGENT";
    LOST = 137, "OPTION_V4_LOST";
    CAPWAP = 138, "OPTION_CAPWAP_AC_V4";
    MOS_ADDRESS = 139, "OPTION-IPv4_Address-MoS";
    MOS_FQDN = 140, "OPTION-IPv4_FQDN-MoS";
    SIP_UA_DOMAINS = 141, "SIP UA Configuration Service Domains";
    ANDSF = 142, "OPTION-IPv4_Address-ANDSF";
    SZTP_REDIRECT = 143, "OPTION_V4_SZTP_REDIRECT";
    GEOLOC = 144, "GeoLoc";
    FORCERENEW_NONCE = 145, "FORCERENEW_NONCE_CAPABLE";
    RDNSS_SELECTION = 146, "RDNSS Selection";
    DOTS_RI = 147, "OPTION_V4_DOTS_RI";
    DOTS_ADDRESS = 148, "OPTION_V4_DOTS_ADDRESS";
    TFTP_SERVER_ADDRESS = 150, "TFTP server address";
    STATUS_CODE = 151, "status-code";
    BASE_TIME = 152, "base-time";
    START_TIME_OF_STATE = 153, "start-time-of-state";
    QUERY_START_TIME = 154, "query-start-time";
    QUERY_END_TIME = 155, "query-end-time";
    DHCP_STATE = 156, "dhcp-state";
    DATA_SOURCE = 157, "data-source";
    PCP_SERVER = 158, "OPTION_V4_PCP_SERVER";
    PORTPARAMS = 159, "OPTION_V4_PORTPARAMS";
    MUD_URL = 161, "OPTION_MUD_URL_V4";
    DNR = 162, "OPTION_V4_DNR";
    IPXE = 175, "Etherboot (iPXE encapsulated options)";
    IPXE_ISCSI_INITIATOR = 203, "iSCSI initiator (iPXE)";
    PXELINUX_MAGIC = 208, "PXELINUX Magic";
    PXELINUX_CONFIG = 209, "Configuration File";
    PXELINUX_PATH_PREFIX = 210, "Path Prefix";
    PXELINUX_REBOOT_TIME = 211, "Reboot Time";
    SIXRD = 212, "OPTION_6RD";
    ACCESS_DOMAIN = 213, "OPTION_V4_ACCESS_DOMAIN";
    SUBNET_ALLOCATION = 220, "Subnet Allocation Option";
    VIRTUAL_SUBNET_SELECTION = 221, "Virtual Subnet Selection (VSS) Option";
    MS_CLASSLESS_ROUTES = 249, "Classless Static Route (Microsoft)";
    WPAD = 252, "Proxy Autodiscovery (WPAD)";
    END = 255, "End";
}

impl OptionCode {
    /// Whether it is an option's code, as against PAD and END.
    pub(crate) const fn is_option(self) -> bool {
        !matches!(self, Self::PAD | Self::END)
    }
}

impl fmt::Display for OptionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for OptionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "OptionCode({} {name})", self.0),
            None => write!(f, "OptionCode({})", self.0),
        }
    }
}
