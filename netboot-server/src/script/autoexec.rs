//! The script that current iPXE under UEFI loads beside itself and runs in place of its own
//! autoboot, while none of its network cards is open: it gets an address and goes on with the boot
//! script.

use netboot_ipxe::{Arg, Chain, Dhcp, Ending, RenderError, Setting, SettingType};

use super::{Asker, ipv4};
use crate::paths::SCRIPT;
use crate::policy::{BootAction, Decision, identity};
use crate::world::{Machine, World};

/// How long a machine that got no address shows why, before its firmware goes on.
const SHOWN_MS: u32 = 5_000;

/// Writes it. It holds nothing that is for one machine only. For a machine that is to be left alone
/// it is the boot script itself, which says so: DHCP may have no address for it.
///
/// # Errors
///
/// As [`write`](super::write).
pub fn write(
    world: &World,
    decision: &Decision,
    machine: &Machine,
    asker: &Asker<'_>,
) -> Result<String, RenderError> {
    if decision.boot == BootAction::Nothing {
        return super::write(world, decision, asker);
    }
    let origin = &asker.origin;
    // By the card that is open in the end, whichever it is: iPXE's driver may know a card by
    // another address than the firmware's.
    let mac = Setting::new("mac").scope("netX").typed(SettingType::HexHyp);
    let url = Arg::from(origin.url(&format!("{SCRIPT}?mac=")))
        .setting(mac)
        .text(&identity(decision, machine));
    let dhcp = match asker.mac {
        Some(mac) => Dhcp::new().card(mac.to_string()),
        None => Dhcp::new(),
    };
    let dhcp = match ipv4(origin.server) {
        Some(_) => dhcp.configurator("dhcp"),
        None => dhcp,
    };
    let server = origin.server;
    Chain::new(format!("from {server}"), url)
        .dhcp_first(dhcp)
        .hint(format!(
            "DHCP on this network; the log of the server at {server}"
        ))
        .script(Ending::Exit {
            status: 1,
            wait_ms: SHOWN_MS,
        })?
        .render()
}
