//! Boots as they are recorded: those of a machine, and one with what is found in it.

use jiff::Timestamp;
use maud::{Markup, html};
use netboot_dhcp::MacAddr;

use super::{layout, units};
use crate::admin::boots::{self, Examined};
use crate::admin::{ApiError, Operations};
use crate::boots::{Boot, Outcome, Stage, stages};
use crate::telemetry::events::Progress;

/// Boots that are shown of one machine, the newest.
const SHOWN: usize = 20;

/// How wide a timeline is, in its own units.
const WIDTH: u64 = 1_000;

/// What is wrong in the machine's last boot, and its boots, where they are recorded.
pub(super) fn of_machine(of: &Operations, machine: MacAddr, now: Timestamp) -> Markup {
    let recorded = boots::of_machine(of, machine, SHOWN, now);
    let Ok((all, last)) = recorded else {
        return html! {};
    };
    html! {
        @if let Some(last) = &last { (what_was_found(last, now)) }
        section aria-labelledby="boots" {
            h2 #boots { "Boots" }
            @if all.is_empty() { p { "None is recorded." } }
            @else {
                @let rows = html! {
                    @for boot in &all {
                        tr {
                            th scope="row" { a href={ "/boot?id=" (boot.id) } { (boot.id) } }
                            td { (units::relative(boot.began, now)) }
                            td { (outcome(boot, now)) }
                            td { @if let Some(finding) = &boot.finding { (finding.cause) } }
                        }
                    }
                };
                (layout::table("Boots", &["Boot", "Began", "Outcome", "Cause"], &rows))
            }
        }
    }
}

/// One boot.
pub(super) fn page(of: &Operations, id: u64, now: Timestamp) -> Result<Markup, ApiError> {
    let examined = boots::find(of, id, now)?;
    let boot = &examined.record.boot;
    let mac = boot.machine.to_string();
    let name = boot.name.as_ref().unwrap_or(&mac);
    let content = html! {
        p #state role="status" { (outcome(boot, now)) }
        dl {
            dt { "Machine" } dd { a href={ "/machine?mac=" (mac) } { (name) } " " (mac) }
            dt { "Began" } dd { (units::relative(boot.began, now)) }
            @if let Some(address) = boot.address { dt { "Address" } dd { (address.to_string()) } }
            @if let Some(interface) = &boot.interface { dt { "Interface" } dd { (interface) } }
            @if let Some(boots) = &boot.boots { dt { "Boots" } dd { (boots) } }
        }
        (what_was_found(&examined, now))
        (timeline(&stages(&examined.record)))
        (events(&examined))
    };
    Ok(layout::page(
        &format!("Boot {id} of {name}"),
        "",
        now,
        &content,
    ))
}

fn what_was_found(Examined { record, findings }: &Examined, now: Timestamp) -> Markup {
    let is_over = record.boot.outcome(now) != Outcome::Running;
    html! {
        section aria-labelledby="findings" {
            h2 #findings { "What was found" }
            @if findings.is_empty() {
                p { @if is_over { "Nothing that is wrong." } @else { "Nothing so far." } }
            }
            @for finding in findings {
                div.failed {
                    p { strong { (finding.code) } " (" (finding.certainty.name()) "): " (finding.cause) }
                    p { "What to do: " (finding.cure) }
                }
            }
        }
    }
}

/// What became of a boot.
fn outcome(boot: &Boot, now: Timestamp) -> Markup {
    html! {
        @match boot.outcome(now) {
            Outcome::Running => "goes on",
            Outcome::Menu => "waits at the menu",
            Outcome::HandedOver => "has its image",
            Outcome::Local => "boots its local disk",
            Outcome::Failed => strong { "failed" },
            Outcome::NeverFinished => strong { "fell silent" },
        }
    }
}

/// The stages drawn to scale, and in numbers.
fn timeline(stages: &[Stage]) -> Markup {
    let end = stages
        .iter()
        .map(|stage| stage.after_ms + stage.took_ms)
        .max();
    let end = end.unwrap_or(0).max(1);
    let scaled = |ms: u64| ms.saturating_mul(WIDTH) / end;
    html! {
        section aria-labelledby="timeline" {
            h2 #timeline { "Timeline" }
            svg.timeline viewBox={ "0 0 " (WIDTH) " 24" } preserveAspectRatio="none" aria-hidden="true" {
                @for stage in stages {
                    rect class=(name(stage.reached)) x=(scaled(stage.after_ms)) y="0"
                        width=(scaled(stage.took_ms).max(2)) height="24" {}
                }
            }
            @let rows = html! {
                @for stage in stages {
                    tr {
                        th scope="row" {
                            span class={ "stage " (name(stage.reached)) } aria-hidden="true" {}
                            (words(stage.reached))
                        }
                        td { (seconds(stage.after_ms)) }
                        td { (seconds(stage.took_ms)) }
                        td { @if stage.bytes > 0 { (units::bytes(stage.bytes)) } }
                        td { @if stage.retransmissions > 0 { (stage.retransmissions) } }
                    }
                }
            };
            @let head = ["Until", "Began at", "Took", "Sent", "Sent again"];
            (layout::table("Timeline", &head, &rows))
        }
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1_000, ms % 1_000)
}

/// What a stage is called in the style sheet.
fn name(reached: Option<Progress>) -> &'static str {
    match reached {
        None | Some(Progress::Asked) => "to-rest",
        Some(Progress::Leased) => "to-leased",
        Some(Progress::Program) => "to-program",
        Some(Progress::Script) => "to-script",
        Some(Progress::Loading) => "to-loading",
        Some(Progress::Image) => "to-image",
    }
}

fn words(reached: Option<Progress>) -> &'static str {
    match reached {
        None | Some(Progress::Asked) => "its last event",
        Some(Progress::Leased) => "its address",
        Some(Progress::Program) => "its boot program",
        Some(Progress::Script) => "its boot script",
        Some(Progress::Loading) => "a first file of its image",
        Some(Progress::Image) => "its image",
    }
}

fn events(Examined { record, findings }: &Examined) -> Markup {
    let is_evidence = |place: usize| findings.iter().any(|it| it.evidence.contains(&place));
    let left_out = record.boot.left_out();
    html! {
        section aria-labelledby="events" {
            h2 #events { "Events" }
            @if left_out > 0 { p { (left_out) " events in the middle are not kept." } }
            ol.events {
                @for (place, event) in record.events.iter().enumerate() {
                    @let after = event.at.duration_since(record.boot.began).as_millis();
                    li class=[is_evidence(place).then_some("failed")] {
                        time datetime=(event.at) { (seconds(u64::try_from(after).unwrap_or(0))) } " "
                        @if is_evidence(place) { strong { "see above: " } }
                        (event.to_string())
                    }
                }
            }
        }
    }
}
