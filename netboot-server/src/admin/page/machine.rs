//! One machine: what is wrong in its last boot, its boots, what it would boot and why, and its
//! leases.

use std::sync::Arc;

use jiff::Timestamp;
use maud::{Markup, html};
use netboot_dhcp::MacAddr;

use super::{boots, layout, machines, units};
use crate::admin::Operations;
use crate::admin::documents::{self, MachineDocument};
use crate::admin::explain::Explanation;
use crate::leases::Listed;
use crate::telemetry::events::Event;
use crate::world::Machine;

/// The most events that are shown, the last ones.
const EVENTS: usize = 200;

/// The machine with this MAC address, which may be one that was never heard of, or the target of
/// this name.
pub(super) fn find(
    of: &Operations,
    mac: Option<MacAddr>,
    name: Option<&str>,
) -> Option<MachineDocument> {
    let mut machines = documents::machines(of).into_iter();
    if mac.is_some() {
        let known = machines.find(|machine| machine.mac == mac);
        return known.or_else(|| Some(MachineDocument::blank(mac)));
    }
    machines.find(|machine| name.is_some() && machine.name.as_deref() == name)
}

pub(super) fn page(of: &Operations, machine: &MachineDocument, now: Timestamp) -> Markup {
    let leases = machine.mac.map(|mac| documents::leases_of(of, mac));
    let events = machine.mac.map(|mac| of.telemetry.events().of_machine(mac));
    let explanation = documents::explain(of, &as_asked(of, machine));
    let downloads = documents::downloads(of);
    let download = downloads
        .iter()
        .find(|one| one.machine.is_some() && one.machine == machine.mac);
    let content = html! {
        p #state role="status" { (machines::state(machine.boot.as_ref(), download)) }
        (facts(machine, now))
        @if let Some(mac) = machine.mac { (boots::of_machine(of, mac, now)) }
        (decision(&explanation))
        (its_leases(&leases.unwrap_or_default(), now))
        (its_events(&events.unwrap_or_default()))
    };
    layout::page(&machines::title(machine), "", now, &content)
}

/// The machine as the boot policy is asked about it.
fn as_asked(of: &Operations, machine: &MachineDocument) -> Machine {
    let world = of.worlds.current();
    let mut targets = world.config().targets.iter();
    let target = targets.find(|target| Some(&target.name) == machine.name.as_ref());
    Machine {
        mac: machine.mac,
        uuid: target.and_then(|target| target.uuid),
        circuit: target.and_then(|target| target.circuit.clone()),
        arch: None,
        network: None,
    }
}

fn facts(machine: &MachineDocument, now: Timestamp) -> Markup {
    html! {
        dl {
            @if let Some(mac) = machine.mac { dt { "MAC address" } dd { (mac.to_string()) } }
            @if let Some(address) = machine.address { dt { "Address" } dd { (address.to_string()) } }
            @if let Some(image) = &machine.image { dt { "Image" } dd { (image) } }
            @if let Some(boot) = &machine.boot {
                dt { "Boot" } dd { (boot.id) " since this server started" }
                dt { "Powered on" } dd { (units::relative(boot.began, now)) }
                dt { "Last heard of" } dd { (units::relative(boot.last, now)) }
            }
        }
    }
}

fn decision(explanation: &Explanation) -> Markup {
    html! {
        section aria-labelledby="decision" {
            h2 #decision { "What it would boot, and why" }
            p { (explanation.decision) }
            @let rows = html! {
                @for stage in &explanation.firmware {
                    tr {
                        th scope="row" { (stage.name) }
                        td { (stage.file.as_deref().unwrap_or("nothing")) }
                        td { (stage.reasons.join("; ")) }
                    }
                }
            };
            (layout::table("Boot programs", &["Firmware", "Loads first", "Why"], &rows))
        }
    }
}

fn its_leases(leases: &[Listed], now: Timestamp) -> Markup {
    html! {
        section aria-labelledby="leases" {
            h2 #leases { "Leases" }
            @if leases.is_empty() { p { "None." } }
            @else {
                @let rows = html! {
                    @for lease in leases {
                        tr {
                            th scope="row" { (lease.address.to_string()) }
                            td { (lease.state) }
                            td { (lease.host_name.as_deref().unwrap_or_default()) }
                            td { @if let Some(end) = lease.expires { (units::relative(end, now)) } }
                        }
                    }
                };
                (layout::table("Leases", &["Address", "State", "Host name", "Ends"], &rows))
            }
        }
    }
}

fn its_events(events: &[Arc<Event>]) -> Markup {
    let hidden = events.len().saturating_sub(EVENTS);
    html! {
        section aria-labelledby="events" {
            h2 #events { "Events" }
            @if events.is_empty() { p { "None that this server still has." } }
            @if hidden > 0 { p { (hidden) " earlier events are not shown." } }
            ol.events {
                @for event in events.iter().skip(hidden) {
                    li id=(format!("event-{}", event.seq)) class=[event.kind.failed().map(|_| "failed")] {
                        time datetime=(event.at) { (event.at.strftime("%F %T%.3f")) } " "
                        @if event.kind.failed().is_some() { strong { "failed: " } }
                        (event.to_string())
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::events::{Events, Kind};

    #[test]
    fn a_machines_events_are_text_and_those_that_failed_say_so() {
        let events = Events::default();
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        let client = [192, 0, 2, 1].into();
        let refused = |path: &str| Kind::HttpRefused {
            client,
            path: path.into(),
            status: 404,
            why: "no such file".into(),
        };
        events.emit(
            Timestamp::UNIX_EPOCH,
            Some(mac),
            refused("/images/<b>/@1/initrd"),
        );
        events.emit(
            Timestamp::UNIX_EPOCH,
            None,
            refused("/images/other/@1/initrd"),
        );
        let text = its_events(&events.of_machine(mac)).into_string();
        assert_eq!(text.matches("<li").count(), 1, "{text}");
        assert!(text.contains("<strong>failed: </strong>"), "{text}");
        assert!(
            !text.contains("<b>") && text.contains("&lt;b&gt;"),
            "{text}"
        );
    }

    #[test]
    fn of_many_events_the_last_are_shown() {
        let events = Events::default();
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        for number in 0..=EVENTS {
            let why = format!("reason {number}.");
            let client = [192, 0, 2, 1].into();
            let kind = Kind::HttpRefused {
                client,
                path: "/x".into(),
                status: 404,
                why,
            };
            events.emit(Timestamp::UNIX_EPOCH, Some(mac), kind);
        }
        let text = its_events(&events.of_machine(mac)).into_string();
        assert_eq!(text.matches("<li").count(), EVENTS);
        assert!(text.contains("1 earlier events"), "{text}");
        assert!(!text.contains("reason 0.") && text.contains("reason 200."));
    }
}
