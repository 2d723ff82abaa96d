//! Option codes with the type of their value.

use super::{
    Arch, ClientId, MachineId, MessageType, NetworkInterface, Parameters, ReadError, SubOptions,
    Text, UserClass, Value, VendorClass,
};
use crate::Seconds;
use crate::wire::OptionCode;
use alloc::{borrow::Cow, vec::Vec};
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
    };
}

keys! {
    SUBNET_MASK: Ipv4Addr, "Option 1, the subnet mask (RFC 2132 section 3.3).";
    ROUTERS: Vec<Ipv4Addr>, "Option 3, gateways in order of preference (RFC 2132 section 3.5).";
    DNS_SERVERS: Vec<Ipv4Addr>, "Option 6, name servers in order of preference (RFC 2132 section 3.8).";
    HOST_NAME: Text, "Option 12, the client's name (RFC 2132 section 3.14).";
    DOMAIN_NAME: Text, "Option 15, the client's domain (RFC 2132 section 3.17).";
    ROOT_PATH: Text, "Option 17, the root disk, an NFS path or a SAN URI (RFC 2132 section 3.19).";
    BROADCAST_ADDRESS: Ipv4Addr, "Option 28, the subnet's broadcast address (RFC 2132 section 5.3).";
    VENDOR_SPECIFIC: SubOptions, "Option 43, sub-options as the vendor class has them (RFC 2132 section 8.4; [`pxe`](super::pxe)).";
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
    TFTP_SERVER_NAME: Text, "Option 66, the boot server's name or address (RFC 2132 section 9.4).";
    BOOT_FILE_NAME: Text, "Option 67, the boot file's name or URL (RFC 2132 section 9.5).";
    USER_CLASS: UserClass, "Option 77, in both forms (RFC 3004, and bare as iPXE sends it).";
    RELAY_AGENT: SubOptions, "Option 82, what the relay agent added (RFC 3046).";
    CLIENT_ARCH: Vec<Arch>, "Option 93, the platforms the client can boot (RFC 4578 section 2.1).";
    CLIENT_NDI: NetworkInterface, "Option 94, the firmware's network driver interface (RFC 4578 section 2.2).";
    MACHINE_ID: MachineId, "Option 97, the machine's UUID (RFC 4578 section 2.3).";
    TFTP_SERVER_ADDRESS: Vec<Ipv4Addr>, "Option 150, TFTP servers (RFC 5859).";
    IPXE: SubOptions, "Option 175, iPXE's own sub-options ([`ipxe`](super::ipxe)).";
    PXELINUX_CONFIG: Text, "Option 209, PXELINUX's configuration file (RFC 5071 section 4).";
    PXELINUX_PATH_PREFIX: Text, "Option 210, PXELINUX's path prefix (RFC 5071 section 5).";
    PXELINUX_REBOOT_TIME: Seconds, "Option 211, seconds until PXELINUX reboots (RFC 5071 section 6).";
}
