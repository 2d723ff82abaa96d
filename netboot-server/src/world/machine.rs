//! What is known of a machine, and by what it is known.

use netboot_dhcp::MacAddr;
use netboot_dhcp::value::Arch;
use uuid::Uuid;

use crate::config::Circuit;
use crate::config::platform::Platform;

/// What is known of a machine that asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Machine {
    /// Its MAC address.
    pub mac: Option<MacAddr>,
    /// Its UUID (DHCP option 97, or iPXE's `${uuid}`).
    pub uuid: Option<Uuid>,
    /// The circuit that a relay agent saw it on (DHCP option 82).
    pub circuit: Option<Circuit>,
    /// What its firmware says it runs (DHCP option 93).
    pub arch: Option<Arch>,
    /// Which of the configuration's networks it is on.
    pub network: Option<usize>,
}

impl Machine {
    /// The machine with this MAC address, of which nothing else is known.
    #[must_use]
    pub fn with_mac(mac: MacAddr) -> Self {
        Self {
            mac: Some(mac),
            ..Self::default()
        }
    }

    /// The platform that its boot program has to be for.
    #[must_use]
    pub fn platform(&self) -> Option<Platform> {
        Platform::of(self.arch?, self.mac, self.uuid)
    }
}

/// By what a machine is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// Its MAC address.
    Mac,
    /// Its UUID.
    Uuid,
    /// The relay agent's circuit that it is on.
    Circuit,
}
