//! iPXE that lacks what boot scripts need: small builds, as in the ROMs of VirtualBox and of old
//! network cards. They run scripts, load by TFTP, and fail at the first line that needs more.
//!
//! Such a one is told the boot program first, as by the dhcpd configuration of iPXE's
//! documentation, and what the program starts asks again. If that lacks the same, it would load
//! itself for ever; so after a few times in a row it gets the script all the same.

use netboot_dhcp::server::{Firmware, Requester};
use netboot_dhcp::value::MessageType;
use netboot_dhcp::value::ipxe::{self, FEATURE_BZIMAGE, FEATURE_EFI, FEATURE_HTTP};

use crate::identity::Identity;
use crate::policy::Program;
use crate::telemetry::events::Kind;

/// The stage that a machine is answered as: an iPXE that lacks something as the ROM that it is in.
pub(super) fn stage(
    identity: &Identity,
    requester: &Requester<'_>,
    program: &Program,
    events: &mut Vec<Kind>,
) -> Firmware {
    let firmware = requester.firmware;
    let Some(mac) = requester.mac() else {
        return firmware;
    };
    let missing = missing(requester);
    let (false, Program::File(program)) = (missing.is_empty(), program) else {
        identity.is_whole(mac);
        return firmware;
    };
    let message = &requester.message;
    let kind = message.message_type().unwrap_or(MessageType::DISCOVER);
    let attempt = identity.lacks(mac, message.xid(), kind);
    let again = attempt.is_last();
    if attempt.is_new {
        events.push(Kind::IpxeLacks {
            missing: missing.join(", "),
            program: program.clone(),
            again,
        });
    }
    if again { firmware } else { Firmware::PxeClient }
}

/// What an iPXE lacks, by iPXE's names; nothing where it does not list what it has.
fn missing(requester: &Requester<'_>) -> Vec<&'static str> {
    if requester.firmware != Firmware::Ipxe {
        return Vec::new();
    }
    let class = requester.user_class();
    if class.is_some_and(|class| class.contains(b"gPXE")) {
        return vec!["iPXE's scripts"];
    }
    let features = requester.ipxe_features();
    let lacks = |any: &[u8]| !any.iter().any(|one| features.contains(one));
    [&[FEATURE_HTTP][..], &[FEATURE_BZIMAGE, FEATURE_EFI]]
        .into_iter()
        .filter(|any| !features.is_empty() && lacks(any))
        .filter_map(|any| ipxe::feature(*any.first()?))
        .collect()
}
