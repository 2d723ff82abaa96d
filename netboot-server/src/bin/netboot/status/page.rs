//! What `netboot status` shows people: a page of text, from the API's documents.

use std::fmt::Write;

use indicatif::HumanBytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::table::{BAD, Cell, GOOD, Look, POOR, Table};
use crate::time::local;
use netboot_server::Failure;

/// Machines that are shown, those heard of last first.
const MACHINES: usize = 15;

/// The documents at one moment.
#[derive(Debug)]
pub(super) struct Page {
    at: Timestamp,
    status: Status,
    machines: Vec<Machine>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    version: String,
    started: Option<Timestamp>,
    endpoints: Vec<Endpoint>,
    networks: Vec<Network>,
    images: u64,
    targets: u64,
    broken: Vec<String>,
    downloads: Vec<Download>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Endpoint {
    name: String,
    listening: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    name: String,
    interface: Option<String>,
    subnet: String,
    pool: Option<Pool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pool {
    addresses: u64,
    in_use: u64,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct Download {
    client: String,
    machine: Option<String>,
    path: String,
    bytes: u64,
    of: u64,
    elapsed_ms: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Machine {
    mac: String,
    name: Option<String>,
    address: Option<String>,
    boot: Option<Boot>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Boot {
    id: u64,
    last: Option<Timestamp>,
    progress: String,
    failed: Option<String>,
}

impl Page {
    /// What the documents say; what one of them does not say is left out.
    ///
    /// # Errors
    ///
    /// Where a document says something else than the page shows: it is of another version.
    pub(super) fn read(status: &Value, machines: &Value, at: Timestamp) -> Result<Self, Failure> {
        let unreadable = |document: &str| {
            let tried = format!("reading what the server says of its {document}");
            move |error: serde_json::Error| {
                let cure = "restart the service, so that it is of the command's version; \
                            `netboot status --json` shows the document";
                Failure::new(tried, error, cure)
            }
        };
        Ok(Self {
            at,
            status: Status::deserialize(status).map_err(unreadable("status"))?,
            machines: Vec::deserialize(machines).map_err(unreadable("machines"))?,
        })
    }

    /// The page, its tables fitted to so many columns; rates are since the one before, or since a
    /// download began.
    pub(super) fn shown(
        &self,
        before: Option<&Self>,
        look: Look,
        columns: Option<usize>,
    ) -> String {
        let mut text = String::new();
        // Writing to text cannot fail.
        let _ = self.write(&mut text, before, look, columns);
        text
    }

    fn write(
        &self,
        text: &mut String,
        before: Option<&Self>,
        look: Look,
        columns: Option<usize>,
    ) -> std::fmt::Result {
        let status = &self.status;
        let since = status
            .started
            .map_or(0, |started| self.at.as_second() - started.as_second());
        writeln!(
            text,
            "netboot {}, up {}: {} image(s), {} target(s)",
            status.version,
            lasting(since),
            status.images,
            status.targets
        )?;
        writeln!(text, "\nServices")?;
        for endpoint in &status.endpoints {
            let state = match endpoint.listening {
                true => String::new(),
                false => format!("  {}", look.paint(POOR, "waiting for it")),
            };
            writeln!(text, "  {}{state}", endpoint.name)?;
        }
        writeln!(text, "\nNetworks")?;
        let rows = status.networks.iter().map(|network| {
            let addresses = match network.pool {
                None => "another server's addresses".to_owned(),
                Some(Pool { addresses: 0, .. }) => "no ranges".to_owned(),
                Some(Pool { addresses, in_use }) => format!("{in_use} of {addresses} addresses"),
            };
            let interface = network.interface.as_deref().unwrap_or("(relay)");
            [
                network.name.as_str().into(),
                interface.into(),
                network.subnet.as_str().into(),
                Cell::from(addresses),
            ]
        });
        let networks = Table::new(["NETWORK", "INTERFACE", "SUBNET", "IN USE"], rows);
        text.push_str(&networks.indented(2).fitted(columns, 0, 4).shown(look));
        if !status.downloads.is_empty() {
            writeln!(text, "\nDownloads")?;
            let rows = status
                .downloads
                .iter()
                .map(|one| self.download(one, before));
            let downloads = Table::new(["MACHINE", "DONE", "RATE", "FILE"], rows);
            text.push_str(&downloads.indented(2).fitted(columns, 0, 3).shown(look));
        }
        let mut booted: Vec<_> = self
            .machines
            .iter()
            .filter(|one| one.boot.is_some())
            .collect();
        booted.sort_by_key(|one| std::cmp::Reverse(one.boot.as_ref().and_then(|boot| boot.last)));
        writeln!(text, "\nLast boots")?;
        if booted.is_empty() {
            writeln!(text, "  none since it started")?;
        }
        let rows = booted.iter().take(MACHINES).map(|one| row(one));
        let head = ["LAST", "MACHINE", "STATE", "BOOT", "MAC", "ADDRESS"];
        let boots = Table::new(head, rows).indented(2);
        text.push_str(&boots.fitted(columns, 1, 3).shown(look));
        if booted.len() > MACHINES {
            writeln!(text, "  and {} more", booted.len() - MACHINES)?;
        }
        if !status.broken.is_empty() {
            writeln!(text, "\nNot usable")?;
        }
        for broken in &status.broken {
            writeln!(text, "  {}", look.paint(BAD, broken))?;
        }
        Ok(())
    }

    fn download(&self, one: &Download, before: Option<&Self>) -> [Cell; 4] {
        let who = one.machine.as_ref();
        let name = self
            .machines
            .iter()
            .find(|machine| Some(&machine.mac) == who);
        let name = name.and_then(|machine| machine.name.clone());
        let earlier = before.and_then(|before| {
            let mut all = before.status.downloads.iter();
            let same = |it: &&Download| {
                (&it.client, &it.path) == (&one.client, &one.path) && it.bytes <= one.bytes
            };
            all.find(same).map(|it| (it.bytes, it.elapsed_ms))
        });
        let (bytes, millis) = earlier.unwrap_or_default();
        let millis = one.elapsed_ms.saturating_sub(millis).max(1);
        let rate = (one.bytes - bytes).saturating_mul(1000) / millis;
        let percent = one.bytes.saturating_mul(100) / one.of.max(1);
        let pace = match one.of.saturating_sub(one.bytes).checked_div(rate) {
            Some(seconds) => {
                let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
                format!("{}/s, {} left", HumanBytes(rate), lasting(seconds))
            }
            None => "stands still".into(),
        };
        let name = name.or_else(|| who.cloned());
        [
            name.unwrap_or_else(|| one.client.clone()).into(),
            format!("{percent} % of {}", HumanBytes(one.of)).into(),
            pace.into(),
            one.path.as_str().into(),
        ]
    }
}

fn row(machine: &Machine) -> [Cell; 6] {
    let boot = machine.boot.as_ref();
    let came_to = boot.map_or("", |boot| boot.progress.as_str());
    let came_to = match came_to {
        "asked" => "asked for an address",
        "leased" => "has its address",
        "program" => "has its boot program",
        "script" => "has its boot script",
        "loading" => "loads its image",
        "image" => "has its image",
        other => other,
    };
    // What failed comes first: the end of a line is what a narrow terminal cuts.
    let state = match boot.and_then(|boot| boot.failed.as_deref()) {
        Some(step) => Cell::styled(format!("failed at {step}, {came_to}"), BAD),
        None if boot.is_some_and(|boot| boot.progress == "image") => Cell::styled(came_to, GOOD),
        None => came_to.into(),
    };
    [
        boot.and_then(|boot| boot.last)
            .map(local)
            .unwrap_or_default()
            .into(),
        machine.name.as_deref().unwrap_or("(no target)").into(),
        state,
        boot.map_or(0, |boot| boot.id).to_string().into(),
        machine.mac.as_str().into(),
        machine.address.as_deref().unwrap_or("-").into(),
    ]
}

/// So many seconds, in the two largest units.
fn lasting(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    if days > 0 {
        format!("{days} d {} h", hours % 24)
    } else if hours > 0 {
        format!("{hours} h {} min", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(bytes: u64, elapsed_ms: u64) -> Value {
        json!({
            "version": "0.1.0", "started": "2026-01-01T00:00:00Z", "images": 2, "targets": 1,
            "endpoints": [
                { "name": "DHCP on eth1", "listening": true },
                { "name": "DHCP on eth2", "listening": false },
            ],
            "networks": [{
                "name": "lab", "interface": "eth1", "subnet": "192.168.100.0/24",
                "pool": { "addresses": 101, "in_use": 12 },
            }, {
                "name": "upstream", "interface": "eth2", "subnet": "10.0.0.0/24",
                "pool": { "addresses": 0, "in_use": 0 },
            }],
            "broken": ["image x cannot be used: it has no manifest"],
            "downloads": [{
                "client": "192.168.100.101", "machine": "52:54:00:12:34:56",
                "path": "/images/debian/@1/initrd", "bytes": bytes, "of": 100 << 20,
                "elapsed_ms": elapsed_ms,
            }],
        })
    }

    fn page(bytes: u64, elapsed_ms: u64) -> Page {
        let machines = json!([
            { "mac": "52:54:00:12:34:56", "name": "node-01", "address": "192.168.100.101",
              "boot": { "id": 3, "last": "2026-01-01T01:00:00Z", "progress": "script",
                        "failed": null } },
            { "mac": "52:54:00:12:34:57", "boot": null },
        ]);
        let at = "2026-01-01T03:12:00Z".parse().expect("an instant");
        Page::read(&status(bytes, elapsed_ms), &machines, at).expect("a page")
    }

    #[test]
    fn a_document_that_cannot_be_read_is_no_empty_page() {
        let at = Timestamp::UNIX_EPOCH;
        let nothing = json!([]);
        let read = |status: Value| Page::read(&status, &nothing, at);
        assert!(read(json!({ "version": "0.1.0" })).is_ok());
        let why = read(json!({ "networks": 3 })).expect_err("networks are a list");
        assert!(why.why.contains("invalid type: integer `3`"), "{why}");
    }

    #[test]
    fn a_page_tells_services_pools_downloads_and_boots() {
        let shown = page(25 << 20, 5000).shown(None, Look::PLAIN, None);
        for expected in [
            "netboot 0.1.0, up 3 h 12 min: 2 image(s), 1 target(s)\n",
            "  DHCP on eth1\n  DHCP on eth2  waiting for it\n",
            "  NETWORK   INTERFACE  SUBNET            IN USE\n",
            "  lab       eth1       192.168.100.0/24  12 of 101 addresses\n",
            "  upstream  eth2       10.0.0.0/24       no ranges\n",
            "  MACHINE  DONE                RATE                   FILE\n",
            "  node-01  25 % of 100.00 MiB  5.00 MiB/s, 15 s left  /images/debian/@1/initrd\n",
            "  node-01  has its boot script  3     52:54:00:12:34:56  192.168.100.101\n",
            "Not usable\n  image x cannot be used: it has no manifest\n",
        ] {
            assert!(shown.contains(expected), "{expected}\n{shown}");
        }
        assert!(!shown.contains("52:54:00:12:34:57"), "{shown}");
    }

    #[test]
    fn a_rate_is_since_the_page_before() {
        let shown = page(35 << 20, 6000).shown(Some(&page(25 << 20, 5000)), Look::PLAIN, None);
        assert!(shown.contains("10.00 MiB/s, 6 s left"), "{shown}");
        let shown = page(25 << 20, 6000).shown(Some(&page(25 << 20, 5000)), Look::PLAIN, None);
        assert!(
            shown.contains("25 % of 100.00 MiB  stands still"),
            "{shown}"
        );
    }

    #[test]
    fn a_narrow_terminal_keeps_what_failed() {
        let machines = json!([{
            "mac": "52:54:00:12:34:56", "name": "a-machine-with-a-name-that-is-long",
            "address": "192.168.100.101",
            "boot": { "id": 3, "last": "2026-01-01T01:00:00Z", "progress": "script",
                      "failed": "kernel" },
        }]);
        let at = "2026-01-01T03:12:00Z".parse().expect("an instant");
        let page = Page::read(&status(0, 1), &machines, at).expect("a page");
        let shown = page.shown(None, Look::PLAIN, Some(80));
        let line = shown.lines().find(|line| line.contains("failed at"));
        let line = line.expect("its boot");
        assert!(
            line.contains("  failed at kernel, has its boot script"),
            "{shown}"
        );
        assert!(
            shown.lines().all(|line| line.chars().count() <= 80),
            "{shown}"
        );
    }
}
