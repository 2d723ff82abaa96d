//! No target is this machine, and one is nearly.

use netboot_dhcp::MacAddr;

use crate::diagnosis::story::Story;
use crate::diagnosis::{Certainty, Finding, Rule};
use crate::world::Machine;

pub(super) const RULE: Rule = Rule {
    code: "near-target",
    of_all: true,
    look,
};

fn look(story: &Story<'_>) -> Option<Finding> {
    let (world, boot) = (story.world()?, story.boot());
    let machine = Machine {
        mac: Some(boot.machine),
        uuid: boot.uuid,
        circuit: None,
        arch: boot.arch,
        network: None,
    };
    let targets = &world.config().targets;
    // Which circuit it is on is not in its record.
    let by_circuit = targets.iter().any(|target| target.circuit.is_some());
    if by_circuit || world.find(&machine).is_some() {
        return None;
    }
    let is_about = |mac: MacAddr| story.others().iter().any(|other| other.machine == mac);
    let by_name = |name: &str| {
        let said = boot.name.as_deref();
        said.is_some_and(|said| said.eq_ignore_ascii_case(name))
    };
    let near = targets.iter().filter_map(|target| {
        // One that has booted itself is another machine.
        let mac = target.mac.filter(|mac| !is_about(*mac))?;
        let digits = match by_name(&target.name) {
            true => 0,
            false => differing(mac, boot.machine),
        };
        (digits <= FEW).then_some((digits, target, mac))
    });
    let (digits, target, mac) = near.min_by_key(|(digits, ..)| *digits)?;
    let how = match digits {
        0 => format!("whose name it says, with mac {mac}"),
        1 => format!("whose mac is {mac}: one digit differs"),
        _ => format!("whose mac is {mac}: {digits} digits differ"),
    };
    let (name, machine) = (&target.name, boot.machine);
    Some(Finding::new(
        Certainty::Possible,
        [0],
        format!("No target is {machine}, and there is {name}, {how}."),
        format!("If it is that machine, write mac = \"{machine}\" in target {name}."),
    ))
}

/// So many digits of a MAC address are soon miswritten: one, or two that were swapped.
const FEW: usize = 2;

/// How many hexadecimal digits differ.
fn differing(one: MacAddr, other: MacAddr) -> usize {
    let digits = |mac: MacAddr| mac.0.into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let pairs = digits(one).zip(digits(other));
    pairs.filter(|(one, other)| one != other).count()
}
