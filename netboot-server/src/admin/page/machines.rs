//! All machines, those in trouble first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};
use netboot_dhcp::MacAddr;

use super::{layout, units};
use crate::admin::Operations;
use crate::admin::documents::{self, Download, MachineDocument};
use crate::telemetry::events::{Progress, Summary};

/// Machines on one page.
const ON_A_PAGE: usize = 100;

/// Which of the machines are looked at.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// What their name, MAC address, address or image holds.
    pub(super) words: String,
    /// Counted from 1.
    pub(super) page: usize,
}

pub(super) fn page(of: &Operations, part: &Part, now: Timestamp) -> Markup {
    let content = content(
        documents::machines(of),
        &documents::downloads(of),
        part,
        now,
    );
    layout::page("Machines", "/", now, &content)
}

fn content(
    mut machines: Vec<MachineDocument>,
    downloads: &[Download],
    part: &Part,
    now: Timestamp,
) -> Markup {
    let (all, failed) = (
        machines.len(),
        machines.iter().filter(|it| is_failing(it)).count(),
    );
    let words = part.words.trim().to_lowercase();
    machines.retain(|machine| holds(machine, &words));
    machines.sort_by_cached_key(|machine| {
        let last = machine.boot.as_ref().map(|boot| boot.last);
        (!is_failing(machine), Reverse(last), machine.name.clone())
    });
    let pages = machines.len().div_ceil(ON_A_PAGE).max(1);
    let page = part.page.clamp(1, pages);
    let by_machine: BTreeMap<MacAddr, &Download> = downloads
        .iter()
        .filter_map(|one| Some((one.machine?, one)))
        .collect();
    let shown = machines.iter().skip((page - 1) * ON_A_PAGE).take(ON_A_PAGE);
    html! {
        p #summary role="status" { (all) " machine(s), " (failed) " with a failed boot" }
        form method="get" action="/" role="search" {
            label for="q" { "Name, MAC, address or image" }
            input #q type="search" name="q" value=(part.words);
            button type="submit" { "Find" }
        }
        @if machines.is_empty() { p { "No machine to show." } }
        ul.machines #machines aria-label="Machines" {
            @for machine in shown {
                (row(machine, machine.mac.and_then(|mac| by_machine.get(&mac).copied()), now))
            }
        }
        @if pages > 1 {
            nav.paging aria-label="Pages of machines" {
                @if page > 1 { a rel="prev" href=(url(part, page - 1)) { "Previous" } }
                span { "Page " (page) " of " (pages) }
                @if page < pages { a rel="next" href=(url(part, page + 1)) { "Next" } }
            }
        }
    }
}

fn row(machine: &MachineDocument, download: Option<&Download>, now: Timestamp) -> Markup {
    let id = machine.mac.map(|mac| format!("mac-{mac}"));
    html! {
        li id=[id] class=[is_failing(machine).then_some("failed")] {
            a.name href=(link(machine)) { (title(machine)) }
            span.state { (state(machine.boot.as_ref(), download)) }
            span.when { @if let Some(boot) = &machine.boot { (units::relative(boot.last, now)) } }
            span.mac { @if let Some(mac) = machine.mac { (mac.to_string()) } }
            span.address { @if let Some(address) = machine.address { (address.to_string()) } }
            span.image { @if let Some(image) = &machine.image { (image) } }
        }
    }
}

fn holds(machine: &MachineDocument, words: &str) -> bool {
    let has = |text: Option<String>| text.is_some_and(|text| text.to_lowercase().contains(words));
    words.is_empty()
        || has(machine.name.clone())
        || has(machine.mac.map(|mac| mac.to_string()))
        || has(machine.address.map(|address| address.to_string()))
        || has(machine.image.clone())
}

fn url(part: &Part, page: usize) -> String {
    let page = page.to_string();
    let mut pairs = vec![("page", page.as_str())];
    if !part.words.is_empty() {
        pairs.push(("q", &part.words));
    }
    with_query("/", &pairs)
}

/// What a machine is called.
pub(super) fn title(machine: &MachineDocument) -> String {
    let mac = || machine.mac.map(|mac| mac.to_string());
    machine.name.clone().or_else(mac).unwrap_or_default()
}

/// The URL of a machine's own page.
pub(super) fn link(machine: &MachineDocument) -> String {
    let (key, value) = match (machine.mac, &machine.name) {
        (Some(mac), _) => ("mac", mac.to_string()),
        (None, name) => ("name", name.clone().unwrap_or_default()),
    };
    with_query("/machine", &[(key, &value)])
}

fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    format!("{path}?{query}")
}

/// Whether a step of the machine's last boot went wrong that it has not come past since.
fn is_failing(machine: &MachineDocument) -> bool {
    machine.boot.as_ref().and_then(failing).is_some()
}

fn failing(boot: &Summary) -> Option<Progress> {
    boot.failed.filter(|step| *step > boot.progress)
}

/// How far a machine is.
pub(super) fn state(boot: Option<&Summary>, download: Option<&Download>) -> Markup {
    let Some(boot) = boot else {
        return html! { "not heard of" };
    };
    html! {
        @if let Some(step) = failing(boot) { strong { "failed: " (failure(step)) } "; " }
        @if let Some(download) = download {
            @let percent = percent(download);
            @let file = download.path.rsplit('/').next().unwrap_or_default();
            "loads " (file) " " (percent) " % at " (units::bytes(rate(download))) "/s "
            progress max="100" value=(percent) aria-label={ "Progress of " (file) } {}
        } @else { (came_to(boot.progress)) }
    }
}

fn percent(download: &Download) -> u64 {
    let hundredfold = u128::from(download.bytes) * 100;
    let percent = hundredfold / u128::from(download.of.max(1));
    u64::try_from(percent).unwrap_or(100).min(100)
}

/// Bytes a second, on average.
fn rate(download: &Download) -> u64 {
    download.bytes.saturating_mul(1000) / download.elapsed_ms.max(1)
}

fn came_to(progress: Progress) -> &'static str {
    match progress {
        Progress::Asked => "asked for an address",
        Progress::Leased => "has its address",
        Progress::Program => "has its boot program",
        Progress::Script => "has its boot script",
        Progress::Loading => "loads its image",
        Progress::Image => "has its image",
    }
}

fn failure(step: Progress) -> &'static str {
    match step {
        Progress::Asked => "asking for an address",
        Progress::Leased => "no address",
        Progress::Program => "no boot program",
        Progress::Script => "no boot script",
        Progress::Loading | Progress::Image => "the image was not loaded",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn machine(number: u16, boot: Option<(i64, Progress, Option<Progress>)>) -> MachineDocument {
        let [high, low] = number.to_be_bytes();
        let boot = boot.map(|(last, progress, failed)| Summary {
            id: 1,
            began: at(0),
            last: at(last),
            address: None,
            progress,
            failed,
        });
        MachineDocument {
            mac: Some(MacAddr([2, 0, 0, 0, high, low])),
            name: Some(format!("node-{number}")),
            image: Some("debian".into()),
            address: None,
            boot,
        }
    }

    fn shown(machines: Vec<MachineDocument>, words: &str, page: usize) -> String {
        let part = Part {
            words: words.into(),
            page,
        };
        content(machines, &[], &part, at(100)).into_string()
    }

    #[test]
    fn failed_boots_come_first_and_the_newest_of_them_before_others() {
        let text = shown(
            vec![
                machine(1, None),
                machine(2, Some((90, Progress::Image, None))),
                machine(3, Some((40, Progress::Leased, Some(Progress::Program)))),
                machine(4, Some((50, Progress::Program, Some(Progress::Script)))),
                // It came past what failed.
                machine(5, Some((80, Progress::Image, Some(Progress::Program)))),
            ],
            "",
            1,
        );
        let place = |name: &str| text.find(&format!(">{name}<")).expect(name);
        let order = ["node-4", "node-3", "node-2", "node-5", "node-1"].map(place);
        assert!(order.is_sorted(), "{text}");
        assert!(
            text.contains("5 machine(s), 2 with a failed boot"),
            "{text}"
        );
        assert!(
            text.contains("<strong>failed: no boot script</strong>"),
            "{text}"
        );
    }

    #[test]
    fn what_others_wrote_is_text_wherever_it_stands() {
        let hostile = "\"><script>alert('1')</script>&amp;";
        let named = MachineDocument {
            name: Some(hostile.into()),
            ..machine(1, None)
        };
        let nameless = MachineDocument {
            mac: None,
            ..named.clone()
        };
        let text = shown(vec![named, nameless], hostile, 1);
        assert!(!text.contains("<script"), "{text}");
        assert!(!text.contains("\"\">"), "{text}");
        // In the two links, and in the field of what is looked for.
        let escaped = "&quot;&gt;&lt;script&gt;alert('1')&lt;/script&gt;&amp;amp;";
        assert_eq!(text.matches(escaped).count(), 3, "{text}");
        assert!(
            text.contains("href=\"/machine?name=%22%3E%3Cscript%3E"),
            "{text}"
        );
    }

    #[test]
    fn of_five_thousand_machines_a_page_shows_a_hundred_and_leads_to_the_others() {
        let all = || (0..5000).map(|it| machine(it, Some((90, Progress::Loading, None))));
        let text = shown(all().collect(), "", 2);
        assert_eq!(text.matches("<li").count(), 100);
        assert!(text.len() < 300_000, "{} bytes", text.len());
        assert!(text.contains("Page 2 of 50"), "{text}");
        assert!(text.contains("href=\"/?page=1\"") && text.contains("href=\"/?page=3\""));
        // A number that no page has is that of the nearest.
        for (page, here) in [(0, "Page 1 of 50"), (usize::MAX, "Page 50 of 50")] {
            assert!(shown(all().collect(), "", page).contains(here));
        }
        let found = shown(all().collect(), " Node-4999 ", 1);
        assert_eq!(found.matches("<li").count(), 1, "{found}");
    }

    #[test]
    fn a_download_is_shown_with_how_far_it_is_and_its_rate() {
        let loads = machine(1, Some((90, Progress::Script, None)));
        let download = Download {
            client: [192, 0, 2, 1].into(),
            machine: loads.mac,
            path: "/images/debian/@1/initrd".into(),
            bytes: 61_000_000,
            of: 100_000_000,
            elapsed_ms: 500,
        };
        let part = Part::default();
        let text = content(vec![loads], &[download], &part, at(100)).into_string();
        assert!(text.contains("loads initrd 61 % at 122 MB/s"), "{text}");
        assert!(
            text.contains("<progress max=\"100\" value=\"61\""),
            "{text}"
        );
    }
}
