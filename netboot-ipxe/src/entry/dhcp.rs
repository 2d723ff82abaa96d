//! Asking for an address before anything is fetched.

use crate::arg::Arg;

/// How a script asks for an address before it fetches something: for `autoexec.ipxe`, which iPXE
/// loads beside itself and runs while none of its network cards is open.
///
/// ```
/// use netboot_ipxe::{Arg, Chain, Dhcp, Ending, Setting};
///
/// let dhcp = Dhcp::new().configurator("dhcp").card("52:54:00:12:34:56");
/// let mac = Setting::new("mac").scope("netX");
/// let url = Arg::from("http://192.168.100.1/boot.ipxe?mac=").setting(mac);
/// let script = Chain::new("the boot script", url).dhcp_first(dhcp).script(Ending::Shell)?;
/// assert!(script.render()?.contains("dhcp --configurator=dhcp net${boot-card:int32} ||"));
/// # Ok::<(), netboot_ipxe::RenderError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Dhcp {
    pub(crate) card: Option<Arg>,
    pub(crate) configurator: Option<Arg>,
}

impl Dhcp {
    /// On each network card in turn, until one gets an address and what is wanted comes over it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// On the card with this MAC address, written `52:54:00:12:34:56`, and on no other; on each in
    /// turn where no card has it.
    #[must_use]
    pub fn card(mut self, mac: impl Into<Arg>) -> Self {
        self.card = Some(mac.into());
        self
    }

    /// Only with this of iPXE's configurators: with `dhcp` it waits for no IPv6 router. Default:
    /// all of them.
    #[must_use]
    pub fn configurator(mut self, name: impl Into<Arg>) -> Self {
        self.configurator = Some(name.into());
        self
    }
}
