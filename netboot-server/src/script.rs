//! From a decision to the iPXE script that carries it out.

use std::net::{IpAddr, Ipv4Addr};

use netboot_dhcp::MacAddr;
use netboot_image::{
    Boot as ManifestBoot, ImageFile, ImageName, LinuxBoot as LinuxImage, Manifest,
};
use netboot_ipxe::{
    Action, Chain, Ending, Item, LinuxBoot, LocalDisk, Menu, Notice, RenderError, Script,
};

use crate::cmdline::{self, Values};
use crate::config::{MenuAction, MenuItem, Target};
use crate::policy::{Boot, Decision};
use crate::world::World;

/// How long a machine that cannot boot shows why, before it starts over.
const NOTICE_MS: u32 = 60_000;

/// Who a script is for, and how it reaches this server.
#[derive(Debug, Clone, Copy)]
pub struct Asker {
    /// Its MAC address, where it is known.
    pub mac: Option<MacAddr>,
    /// The address it asked from.
    pub address: IpAddr,
    /// The address of this server that it asked.
    pub server: IpAddr,
    /// The port of this server's HTTP.
    pub http_port: u16,
}

impl Asker {
    /// The URL of a path on this server, which begins with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        let host = match self.server {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        match self.http_port {
            80 => format!("http://{host}{path}"),
            port => format!("http://{host}:{port}{path}"),
        }
    }
}

/// Writes the script.
///
/// # Errors
///
/// Where a text holds what iPXE cannot represent; the error names it. An image or an item of the
/// menu that cannot be written is replaced by a notice.
pub fn write(world: &World, decision: &Decision, asker: &Asker) -> Result<String, RenderError> {
    let target = decision
        .target
        .and_then(|index| world.config().targets.get(index));
    let again = Ending::Reboot { wait_ms: NOTICE_MS };
    let script = match &decision.boot {
        Boot::Menu => menu(world, target, asker).script()?,
        Boot::Image(name, _) => match world.image(name) {
            Some(manifest) => {
                let entry = entry(world, manifest, target, asker);
                match entry.script(again).and_then(|script| script.render()) {
                    Ok(script) => return Ok(script),
                    Err(error) => unwritable(
                        format!("The image {name} cannot be written as an iPXE script."),
                        &error,
                    )
                    .script(again)?,
                }
            }
            None => missing(name).script(again)?,
        },
        Boot::MissingImage(name) => missing(name).script(again)?,
        Boot::Local => LocalDisk::ByPlatform.script(again)?,
        Boot::Nothing => Notice::new("This server has nothing to boot for this machine.")
            .line("It is no target, and menu.unknown is \"silent\".")
            .script(Ending::Exit {
                status: 1,
                wait_ms: 5_000,
            })?,
    };
    script.render()
}

/// The images that the script of a decision names.
pub(crate) fn named<'w>(world: &'w World, decision: &Decision) -> Vec<&'w Manifest> {
    match (&decision.boot, &world.config().menu.items) {
        (Boot::Image(name, _), _) => world.image(name).into_iter().collect(),
        (Boot::Menu, None) => world.images().collect(),
        (Boot::Menu, Some(items)) => items
            .iter()
            .filter_map(|item| match &item.action {
                MenuAction::Image(image) => world.image(image),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn unwritable(what: impl Into<String>, error: &RenderError) -> Notice {
    Notice::new(what.into()).line(error.to_string().replace("${", "$ {"))
}

fn missing(name: &ImageName) -> Notice {
    Notice::new(format!("The image {name} is not in the store.")).line(format!(
        "On the server: netboot image add {name} --kernel FILE --initrd FILE"
    ))
}

fn menu(world: &World, target: Option<&Target>, asker: &Asker) -> Menu {
    let settings = &world.config().menu;
    let everything: Vec<MenuItem>;
    let items = match &settings.items {
        Some(items) => items,
        None => {
            everything = all_items(world);
            &everything
        }
    };
    let mut menu = Menu::new(settings.title.as_str())
        .timeout_ms(u32::from(settings.timeout_s).saturating_mul(1000));
    for (index, item) in items.iter().enumerate() {
        let chosen = settings
            .default
            .as_ref()
            .is_some_and(|default| item.action.is_called(default));
        // The default may be named once only, and an image may stand in a menu twice.
        let name = format!("{index} {}", action_name(&item.action));
        if chosen {
            menu = menu.default_item(name.clone());
        }
        menu = menu.item(menu_item(world, item, name, target, asker));
    }
    menu
}

/// Every image by name, then the local disk and the shell. Without images the local disk is first,
/// and so what is taken when nobody chooses.
fn all_items(world: &World) -> Vec<MenuItem> {
    let images = world
        .images()
        .map(|manifest| MenuAction::Image(manifest.name().clone()));
    images
        .chain([MenuAction::Local, MenuAction::Shell])
        .map(|action| MenuItem {
            label: None,
            action,
        })
        .collect()
}

fn action_name(action: &MenuAction) -> &str {
    match action {
        MenuAction::Image(image) => image.as_str(),
        MenuAction::Chain(url) => url,
        MenuAction::Local => "local",
        MenuAction::Shell => "shell",
    }
}

fn menu_item(
    world: &World,
    item: &MenuItem,
    name: String,
    target: Option<&Target>,
    asker: &Asker,
) -> Item {
    let label = |default: &str| item.label.clone().unwrap_or_else(|| default.to_owned());
    let made = match &item.action {
        MenuAction::Image(image) => {
            let (text, action) = match world.image(image) {
                Some(manifest) => (
                    label(image_label(world, manifest)),
                    entry(world, manifest, target, asker).into(),
                ),
                None => (
                    format!("{} (not in the store)", label(image.as_str())),
                    Action::Notice(missing(image)),
                ),
            };
            Item::new(&name, text, action)
        }
        MenuAction::Chain(url) => {
            let text = label(url);
            Item::new(
                &name,
                text.as_str(),
                Action::Chain(Chain::new(text.as_str(), url.as_str())),
            )
        }
        MenuAction::Local => Item::local_disk(&name, label("Boot from the local disk")),
        MenuAction::Shell => Item::shell(&name, label("iPXE shell")),
    };
    // One item that cannot be written must not take the menu with it.
    match Menu::new("")
        .item(made.clone())
        .script()
        .and_then(|script| script.render())
    {
        Ok(_) => made,
        Err(error) => Item::new(
            &name,
            format!(
                "{} (cannot be written)",
                action_name(&item.action).escape_debug()
            ),
            Action::Notice(unwritable(
                "This item of the menu cannot be written as an iPXE script.",
                &error,
            )),
        ),
    }
}

fn image_label<'w>(world: &'w World, manifest: &'w Manifest) -> &'w str {
    world
        .config()
        .images
        .get(manifest.name())
        .and_then(|image| image.label.as_deref())
        .unwrap_or_else(|| manifest.label())
}

/// What boots an image, or a notice where this server cannot boot it.
fn entry(world: &World, manifest: &Manifest, target: Option<&Target>, asker: &Asker) -> Entry {
    let (name, generation) = (manifest.name(), manifest.generation());
    let shown = format!("{} ({name} {generation})", image_label(world, manifest));
    let url = |file: &ImageFile| asker.url(&format!("/images/{name}/{generation}/{}", file.name()));
    let hint = format!("On the server: netboot image verify {name}; netboot check");
    match manifest.boot() {
        ManifestBoot::Linux(linux) => {
            let words = words(world, manifest, linux.cmdline(), target, asker);
            let length = line_length(linux, &words);
            if length > linux.cmdline_limit() as usize {
                // The kernel would cut it without a word, and boot with half of it.
                let notice = Notice::new(format!(
                    "The command line for image {name} has {length} bytes, and its kernel takes {}.",
                    linux.cmdline_limit()
                ))
                .line("On the server: shorten cmdline of the image, the group or the target");
                return Entry::Notice(notice);
            }
            let entry = LinuxBoot::new(shown, url(linux.kernel())).hint(hint);
            let entry = linux.initrds().iter().fold(entry, |entry, initrd| {
                entry.initrd(initrd.name().as_str(), url(initrd))
            });
            Entry::Linux(words.into_iter().fold(entry, LinuxBoot::arg))
        }
        ManifestBoot::Efi(efi) => Entry::Chain(Chain::new(shown, url(efi.program())).hint(hint)),
        ManifestBoot::Chain(chain) => Entry::Chain(Chain::new(shown, chain.url())),
        _ => Entry::Notice(Notice::new(format!(
            "The image {name} is of a kind that this server cannot boot."
        ))),
    }
}

/// What an image becomes in a script.
enum Entry {
    Linux(LinuxBoot),
    Chain(Chain),
    Notice(Notice),
}

impl Entry {
    fn script(&self, ending: Ending) -> Result<Script, RenderError> {
        match self {
            Self::Linux(linux) => linux.script(ending),
            Self::Chain(chain) => chain.script(ending),
            Self::Notice(notice) => notice.script(ending),
        }
    }
}

impl From<Entry> for Action {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::Linux(linux) => Self::Linux(linux),
            Entry::Chain(chain) => Self::Chain(chain),
            Entry::Notice(notice) => Self::Notice(notice),
        }
    }
}

/// The bytes of the command line as iPXE hands it over: the kernel's name, `initrd=…` for each
/// initial RAM disk, then the words.
fn line_length(linux: &LinuxImage, words: &[String]) -> usize {
    let kernel = linux.kernel().name().as_str().len();
    let initrds = linux.initrds().iter();
    let initrds = initrds.map(|initrd| " initrd=".len() + initrd.name().as_str().len());
    let words = words.iter().map(|word| 1 + word.len());
    kernel + initrds.chain(words).sum::<usize>()
}

/// The manifest's words, and behind them the configuration's: the image's, then the target's, its
/// group's before its own.
fn words(
    world: &World,
    manifest: &Manifest,
    of_manifest: &[String],
    target: Option<&Target>,
    asker: &Asker,
) -> Vec<String> {
    let values = Values {
        mac: asker.mac,
        ip: ipv4(asker.address),
        server: ipv4(asker.server),
        name: target.map(|target| target.name.as_str()),
        arch: manifest.architecture().map(|it| it.as_str()),
    };
    let image = world.config().images.get(manifest.name());
    let of_image = image.into_iter().flat_map(|image| &image.cmdline);
    let of_target = target.into_iter().flat_map(|target| &target.cmdline);
    let words = of_manifest.iter().chain(of_image).chain(of_target);
    // The configuration's words were checked when it was read; in an image's, braces that no
    // placeholder is known for are its own.
    words
        .map(|word| cmdline::expand_word(word, &values).unwrap_or_else(|_| word.clone()))
        .filter(|word| !word.is_empty())
        .collect()
}

fn ipv4(address: IpAddr) -> Option<Ipv4Addr> {
    match address.to_canonical() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::{self, Flags, Host};
    use crate::policy::{self, Machine};
    use crate::programs::Programs;

    const MAC: MacAddr = MacAddr([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

    fn manifest(name: &str, cmdline: &[&str]) -> Manifest {
        let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let file = |file: &str| serde_json::json!({ "file": file, "size": 5, "digest": format!("sha256:{digest}") });
        let mut kernel = file("bzImage");
        kernel["cmdline_limit"] = 255.into();
        let manifest = serde_json::json!({
            "version": "1.0", "name": name, "generation": 7, "created": "2026-11-23T05:26:58Z",
            "architecture": "x86_64", "kind": "linux", "kernel": kernel,
            "initrds": [file("initrd")], "cmdline": cmdline,
        });
        Manifest::from_json(manifest.to_string().as_bytes()).expect("a manifest")
    }

    fn script(more: &str, images: Vec<Manifest>) -> String {
        let text = format!(
            "[netboot.server]\nip = \"192.168.100.1\"\ninterface = \"eth1\"\n\
             [[netboot.targets]]\nname = \"node\"\nmac = \"{MAC}\"\n{more}"
        );
        let (flags, host) = (Flags::default(), Host::default());
        let (config, problems) = config::load_text("test", &text, false, &flags, &host);
        let config = config.unwrap_or_else(|| panic!("{problems}"));
        let world = World::new(Arc::new(config), images, Programs::from([]));
        let machine = Machine {
            mac: Some(MAC),
            arch: None,
        };
        let asker = Asker {
            mac: Some(MAC),
            address: Ipv4Addr::new(192, 168, 100, 50).into(),
            server: Ipv4Addr::new(192, 168, 100, 1).into(),
            http_port: 80,
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
            Manifest::from_json(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
        };
        let efi = serde_json::json!({ "kind": "efi", "program":
            { "file": "shell.efi", "size": 5, "digest": format!("sha256:{digest}") } });
        let written = script("config = \"other\"", vec![manifest(efi)]);
        let url = "http://192.168.100.1/images/other/@2/shell.efi";
        assert!(
            written.contains(&format!("chain --replace {url} ||")),
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
