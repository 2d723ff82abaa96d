//! From a decision to the script that carries it out: iPXE's and what leads it there, and the
//! configurations of GRUB and of PXELINUX.

mod autoexec;
pub(crate) mod cache;
mod entry;
mod grub;
mod menu;
pub mod menu_file;
pub(crate) mod pins;
mod pxelinux;

use std::net::{IpAddr, Ipv4Addr};

use netboot_dhcp::MacAddr;
use netboot_image::{Digest, ImageName, Manifest};
use netboot_ipxe::{Ending, Notice, RenderError};

use crate::config::cmdline::StateDigest;
use crate::config::{MenuAction, Target};
use crate::policy::{BootAction, Decision, Origin};
use crate::telemetry::events::ScriptAction;
use crate::world::World;
use crate::world::installs::Secret;
use entry::{Entry, entry};

pub use autoexec::write as write_autoexec;
pub use grub::write as write_grub;
pub use pxelinux::write as write_pxelinux;

/// How long a machine that cannot boot shows why, before it starts over.
const NOTICE_MS: u32 = 60_000;

/// Who a script is for, and how it reaches this server.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// Its MAC address, where it is known.
    pub mac: Option<MacAddr>,
    /// The address it asked from.
    pub address: IpAddr,
    /// The server that it asked.
    pub origin: Origin,
    /// What it may be told that is for its machine only.
    pub trust: Trust<'a>,
}

/// What a script may hold that only its machine may know: the token by which it reports that it is
/// installed, and the digest of its state.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a>(Trusted<'a>);

#[derive(Debug, Clone, Copy)]
enum Trusted<'a> {
    No,
    Itself(&'a Secret),
    Shown,
}

impl<'a> Trust<'a> {
    /// Anybody may have asked: a script that installs says that it is for its machine only.
    pub const NOBODY: Self = Self(Trusted::No);
    /// A person looks at it: a word stands in the token's place.
    pub const PERSON: Self = Self(Trusted::Shown);

    /// The machine itself asked.
    pub(crate) fn itself(secret: &'a Secret) -> Self {
        Self(Trusted::Itself(secret))
    }
}

impl Asker<'_> {
    /// The URL by which the machine reports its install; `None` where that is not for the asker.
    fn report(&self, machine: &str, number: u64) -> Option<String> {
        let token = match self.trust.0 {
            Trusted::No => return None,
            Trusted::Itself(secret) => secret.token(machine, number),
            Trusted::Shown => "ONE-TIME-TOKEN".to_owned(),
        };
        let path = format!("/machines/{machine}/installed?number={number}&token={token}");
        Some(self.origin.url(&path))
    }

    /// What is said of the machine's state: its digest for the machine only.
    fn state_digest(&self, document: &str) -> StateDigest {
        match self.trust.0 {
            Trusted::Itself(_) => StateDigest::Of(Digest::of(document.as_bytes())),
            Trusted::No | Trusted::Shown => StateDigest::Withheld,
        }
    }

    fn report_of(&self, world: &World, decision: &Decision) -> Report {
        match (decision.install, decision.target_in(world)) {
            (Some(number), Some(target)) => match self.report(&target.name, number) {
                Some(url) => Report::Url(url),
                None => Report::Withheld,
            },
            _ => Report::None,
        }
    }
}

/// What `{report}` stands for.
enum Report {
    /// Nothing is to be reported.
    None,
    /// A report is due, to this URL.
    Url(String),
    /// A report is due, and its URL is not for the asker.
    Withheld,
}

impl Report {
    fn url(&self) -> Option<&str> {
        match self {
            Self::Url(url) => Some(url),
            Self::None | Self::Withheld => None,
        }
    }
}

/// Writes the iPXE script.
///
/// # Errors
///
/// Where a text holds what iPXE cannot represent; the error names it. An image or an item of the
/// menu that cannot be written is replaced by a notice.
pub fn write(world: &World, decision: &Decision, asker: &Asker<'_>) -> Result<String, RenderError> {
    let target = decision.target_in(world);
    let again = Ending::Reboot { wait_ms: NOTICE_MS };
    let script = match &decision.boot {
        BootAction::Menu => menu::menu(world, decision, asker).script()?,
        BootAction::Image(name, _) => match (world.image(name), asker.report_of(world, decision)) {
            (Some(_), Report::Withheld) => for_itself(name, target).script(again)?,
            (Some(manifest), report) => {
                let entry = entry(world, manifest, target, asker, report.url());
                match entry.script(again).and_then(|script| script.render()) {
                    Ok(script) => return Ok(script),
                    Err(error) => unwritable(
                        format!("The image {name} cannot be written as an iPXE script."),
                        &error,
                    )
                    .script(again)?,
                }
            }
            (None, _) => missing(world, name).script(again)?,
        },
        BootAction::MissingImage(name) => missing(world, name).script(again)?,
        BootAction::Local => decision.local.script(again)?,
        BootAction::Nothing => return nothing(decision),
    };
    script.render()
}

/// The images that the script of a decision names.
pub(crate) fn named<'w>(world: &'w World, decision: &Decision) -> Vec<&'w Manifest> {
    match &decision.boot {
        BootAction::Image(name, _) => world.image(name).into_iter().collect(),
        BootAction::Menu => world
            .menu_items()
            .iter()
            .filter_map(|item| match &item.action {
                MenuAction::Image(image) => world.image(image),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// What the script of a decision does.
pub(crate) fn action(world: &World, decision: &Decision, asker: &Asker<'_>) -> ScriptAction {
    match &decision.boot {
        BootAction::Image(name, _) => match (world.image(name), asker.report_of(world, decision)) {
            (None, _) => ScriptAction::Notice,
            (_, Report::Withheld) => ScriptAction::Withheld,
            (Some(manifest), report) => {
                let target = decision.target_in(world);
                match entry(world, manifest, target, asker, report.url()) {
                    Entry::Notice(_) => ScriptAction::Notice,
                    _ => ScriptAction::Image,
                }
            }
        },
        BootAction::MissingImage(_) => ScriptAction::Notice,
        BootAction::Menu => ScriptAction::Menu,
        BootAction::Local => ScriptAction::Local,
        BootAction::Nothing => ScriptAction::Other,
    }
}

fn unwritable(what: impl Into<String>, error: &RenderError) -> Notice {
    Notice::new(what.into()).line(error.to_string().replace("${", "$ {"))
}

fn missing(world: &World, name: &ImageName) -> Notice {
    Notice::new(format!("The image {name} is not in the store.")).line(format!(
        "On the server: {}",
        world.config().command_for(name)
    ))
}

/// What others get who ask for the script of a machine that is to be installed. With it they could
/// report in the machine's place.
fn for_itself(name: &ImageName, target: Option<&Target>) -> Notice {
    Notice::new(format!(
        "The script that installs image {name} is only for the machine that holds its own lease."
    ))
    .line(match target.and_then(|target| target.mac) {
        Some(_) => {
            "On the server: netboot leases; beside another DHCP server, identify = \"neighbour\""
        }
        None => "On the server: write the target's mac, or secrets = \"claimable\"",
    })
}

fn nothing(decision: &Decision) -> Result<String, RenderError> {
    let notice = Notice::new("This server has nothing to boot for this machine.");
    let render = |notice: Notice| {
        let exit = Ending::Exit {
            status: 1,
            wait_ms: 5_000,
        };
        notice.script(exit).and_then(|script| script.render())
    };
    let why = decision.reasons.last();
    let with_why = why.map(|why| render(notice.clone().line(format!("Why: {why}."))));
    // A reason may hold what a script cannot: that of a policy in code is anybody's text.
    match with_why {
        Some(Ok(script)) => Ok(script),
        _ => render(notice),
    }
}

fn ipv4(address: IpAddr) -> Option<Ipv4Addr> {
    match address.to_canonical() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{self};
    use crate::world::Machine;
    use crate::world::programs::Programs;

    const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

    fn manifest(name: &str, cmdline: &[&str]) -> Manifest {
        let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let digest = format!("sha256:{digest}");
        let file = |file: &str| serde_json::json!({ "file": file, "size": 5, "digest": digest });
        let mut kernel = file("bzImage");
        kernel["cmdline_limit"] = 255.into();
        let manifest = serde_json::json!({
            "version": "1.0", "name": name, "generation": 7, "created": "2026-11-23T05:26:58Z",
            "architecture": "x86_64", "kind": "linux", "kernel": kernel,
            "initrds": [file("initrd")], "cmdline": cmdline,
        });
        Manifest::decode(manifest.to_string().as_bytes()).expect("a manifest")
    }

    fn script(more: &str, images: Vec<Manifest>) -> String {
        let text = format!(
            "[netboot.server]\nip = \"192.168.100.1\"\ninterface = \"eth1\"\n\
             [[netboot.targets]]\nname = \"node\"\nmac = \"{MAC}\"\n{more}"
        );
        let world = World::of_text(&text, images, Programs::from([]));
        let machine = Machine::with_mac(MAC);
        let asker = Asker {
            mac: Some(MAC),
            address: Ipv4Addr::new(192, 168, 100, 50).into(),
            origin: Origin {
                server: Ipv4Addr::new(192, 168, 100, 1).into(),
                http_port: 80,
                secure: false,
            },
            trust: Trust::NOBODY,
        };
        write(&world, &policy::decide(&world, &machine), &asker).expect("a script")
    }

    #[test]
    fn a_script_names_the_generation_and_appends_command_lines_in_order() {
        let written = script(
            "group = \"lab\"\nconfig = \"debian\"\ncmdline = \"own={mac-dash}\"\n\
             [netboot.groups.lab]\ncmdline = \"group={ip}\"\n\
             [netboot.images.debian]\ncmdline = \"image={server}\"",
            vec![manifest("debian", &["quiet", "name={name}"])],
        );
        let base = "http://192.168.100.1/images/debian/@7";
        let kernel = format!(
            "kernel --name bzImage {base}/bzImage initrd=initrd quiet name=node \
             image=192.168.100.1 group=192.168.100.50 own=52-54-00-12-34-56 ||"
        );
        assert!(written.contains(&kernel), "{written}");
        let initrd = format!("initrd --name initrd {base}/initrd ||");
        assert!(written.contains(&initrd), "{written}");
    }

    #[test]
    fn an_efi_program_and_an_address_elsewhere_are_chained_to() {
        let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let manifest = |more: serde_json::Value| {
            let mut manifest = serde_json::json!({
                "version": "1.1", "name": "other", "generation": 2,
                "created": "2026-11-23T05:26:58Z", "architecture": "x86_64",
            });
            let more = more.as_object().expect("an object").clone();
            manifest.as_object_mut().expect("an object").extend(more);
            let text = manifest.to_string();
            Manifest::decode(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
        };
        let efi = serde_json::json!({ "kind": "efi", "program":
            { "file": "shell.efi", "size": 5, "digest": format!("sha256:{digest}") } });
        let written = script("config = \"other\"", vec![manifest(efi)]);
        let url = "http://192.168.100.1/images/other/@2/shell.efi";
        assert!(
            written.contains(&format!("chain --replace {url} ||")),
            "{written}"
        );
        let uki = serde_json::json!({ "kind": "efi", "program":
            { "file": "program.efi", "size": 5, "digest": format!("sha256:{digest}"),
              "unified": { "cmdline_limit": 255, "cmdline": ["quiet"] },
              "cmdline": ["name={name}"] } });
        let words = |cmdline: &str| format!("config = \"other\"\ncmdline = \"{cmdline}\"");
        let written = script(&words("own={mac-dash}"), vec![manifest(uki.clone())]);
        let url = "http://192.168.100.1/images/other/@2/program.efi";
        let line = format!("chain --replace {url} quiet name=node own=52-54-00-12-34-56 ||");
        assert!(written.contains(&line), "{written}");
        let long = "x".repeat(230);
        let written = script(&words(&long), vec![manifest(uki)]);
        assert!(!written.contains("\nchain "), "{written}");
        // program.efi, a blank, quiet, a blank, name=node, a blank and the word.
        assert!(
            written.contains("has 258 bytes, and its kernel takes 255"),
            "{written}"
        );
        let chain = serde_json::json!({ "kind": "chain", "url": "http://192.0.2.1/menu.ipxe" });
        let written = script("config = \"other\"", vec![manifest(chain)]);
        let url = "http://192.0.2.1/menu.ipxe";
        assert!(
            written.contains(&format!("chain --replace {url} ||")),
            "{written}"
        );
    }

    #[test]
    fn a_command_line_that_the_kernel_would_cut_is_a_notice() {
        let long = "x".repeat(250);
        let written = script("config = \"debian\"", vec![manifest("debian", &[&long])]);
        assert!(!written.contains("\nkernel "), "{written}");
        // bzImage, a blank, initrd=initrd, a blank and the word.
        assert!(
            written.contains("has 272 bytes, and its kernel takes 255"),
            "{written}"
        );
    }

    #[test]
    fn an_item_that_cannot_be_written_leaves_the_menu_to_the_others() {
        let images = vec![
            manifest("bad", &["ip=${net0/ip}"]),
            manifest("good", &["quiet"]),
        ];
        let written = script("", images);
        assert!(written.contains("bad (cannot be written)"), "{written}");
        assert!(
            written.contains("http://192.168.100.1/images/good/@7/bzImage"),
            "{written}"
        );
        assert!(!written.contains("${net0/ip}"), "{written}");
    }

    #[test]
    fn the_menu_takes_its_default_and_shows_what_is_missing() {
        let written = script(
            "[netboot.menu]\ntitle = \"Lab\"\ndefault = \"local\"\ntimeout = 5\n\
             items = [{ image = \"gone\", label = \"Gone\" }, { local = true }, { shell = true }]",
            Vec::new(),
        );
        assert!(written.contains("menu Lab\n"), "{written}");
        assert!(written.contains("Gone (not in the store)"), "{written}");
        let choose = written.lines().find(|line| line.starts_with("choose "));
        assert!(
            choose.is_some_and(|line| line.contains("local") && line.contains("--timeout")),
            "{written}"
        );
    }
}
