//! Its DHCP messages get no answer.

use crate::diagnosis::story::{Story, spoken};
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::telemetry::events::{Kind, Stage, Unanswered};

pub(super) const RULE: Rule = Rule {
    code: "no-offer",
    of_all: false,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let (place, (interface, reason, why)) = story.last(|kind| match kind {
        Kind::DhcpIgnored {
            interface,
            reason,
            why,
            ..
        } => Some((interface, *reason, why)),
        _ => None,
    })?;
    let is_answered =
        |kind| spoken(kind).is_some_and(|spoken| matches!(spoken.stage, Stage::Server));
    if story.behind(place).any(|(_, kind)| is_answered(kind)) {
        return None;
    }
    let cause = match reason {
        Unanswered::NoNetwork => {
            format!("No network of the configuration is where its messages came from, {interface}.")
        }
        Unanswered::NoAddress => "No address of its network is free.".to_owned(),
        Unanswered::StoreDown => {
            "The lease database cannot be written, so no address is given.".to_owned()
        }
        Unanswered::IdentityInUse => {
            format!("Another client has an address as this machine: {why}.")
        }
        Unanswered::Unsent => format!("The server's answer could not be sent: {why}."),
        Unanswered::Other => format!("Its DHCP messages got no answer: {why}."),
    };
    let cure = match reason {
        Unanswered::NoNetwork => format!(
            "Write a network with interface = \"{interface}\", or one whose subnet has the relay \
             agent's address."
        ),
        Unanswered::NoAddress => {
            "Widen its range in the network, or end leases that nobody needs: `netboot leases` \
             lists them, `netboot leases remove ADDRESS` ends one."
                .to_owned()
        }
        Unanswered::StoreDown => {
            "Free some space where the state folder is, and let the service's user write there: \
             `netboot doctor` says what is wrong."
                .to_owned()
        }
        Unanswered::IdentityInUse => {
            "Name the target by its mac, or end the other's lease as the cause says.".to_owned()
        }
        Unanswered::Unsent => format!("Look at {interface}: `netboot doctor` says what it lacks."),
        Unanswered::Other => "Do as the cause says; `netboot doctor` looks at the host.".to_owned(),
    };
    let evidence = story.places(|kind| matches!(kind, Kind::DhcpIgnored { .. }));
    Some(Finding::new(Certainty::Certain, evidence, cause, cure))
}
