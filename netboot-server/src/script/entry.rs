//! What boots an image: a kernel and its initial RAM disks, a program, a disc, or a notice.

use netboot_image::{BootMethod, EfiImage, ImageFile, ImageName, LinuxImage, Manifest};
use netboot_ipxe::{
    Action, Arg, Chain, Disc, Ending, LinuxBoot, Notice, RenderError, Script, Setting,
};

use super::{Asker, ipv4};
use crate::config::Target;
use crate::config::cmdline::{self, StateDigest, Values};
use crate::world::World;

pub(super) fn image_label<'w>(world: &'w World, manifest: &'w Manifest) -> &'w str {
    world
        .config()
        .images
        .get(manifest.name())
        .and_then(|image| image.label.as_deref())
        .unwrap_or_else(|| manifest.label())
}

/// What boots an image, or a notice where this server cannot boot it.
pub(super) fn entry(
    world: &World,
    manifest: &Manifest,
    target: Option<&Target>,
    asker: &Asker<'_>,
    report: Option<&str>,
) -> Entry {
    let (name, generation) = (manifest.name(), manifest.generation());
    let shown = format!("{} ({name} {generation})", image_label(world, manifest));
    let url = |file: &ImageFile| {
        asker
            .origin
            .url(&format!("/images/{name}/{generation}/{}", file.name()))
    };
    let hint = format!("On the server: netboot image verify {name}; netboot check");
    match manifest.boot() {
        BootMethod::Linux(linux) => {
            let words = words(world, manifest, linux.cmdline(), target, asker, report);
            if let Some(lines) = too_long(name, line_length(linux, &words), linux.cmdline_limit()) {
                return Entry::Notice(notice(&lines));
            }
            let entry = LinuxBoot::new(shown, url(linux.kernel())).hint(hint);
            let entry = linux.initrds().iter().fold(entry, |entry, initrd| {
                entry.initrd(initrd.name().as_str(), url(initrd))
            });
            Entry::Linux(words.into_iter().fold(entry, LinuxBoot::arg))
        }
        BootMethod::Efi(efi) => {
            let words = words(world, manifest, efi.arguments(), target, asker, report);
            if let Some(lines) = program_too_long(name, efi, &words) {
                return Entry::Notice(notice(&lines));
            }
            let chain = Chain::new(shown, url(efi.program())).hint(hint);
            Entry::Chain(words.into_iter().fold(chain, Chain::arg))
        }
        BootMethod::Chain(chain) => Entry::Chain(Chain::new(shown, chain.url())),
        BootMethod::Iso(iso) => {
            // iPXE has no words for a disc that was made for the other firmware.
            let hint = Arg::from("whether the disc has a boot image for ")
                .setting(Setting::new("platform"))
                .text(&format!(". {hint}"));
            Entry::Disc(Disc::new(shown, url(iso.disc())).hint(hint))
        }
        _ => Entry::Notice(Notice::new(format!(
            "The image {name} is of a kind that this server cannot boot."
        ))),
    }
}

/// What an image becomes in a script.
pub(super) enum Entry {
    Linux(LinuxBoot),
    Chain(Chain),
    Disc(Disc),
    Notice(Notice),
}

impl Entry {
    pub(super) fn script(&self, ending: Ending) -> Result<Script, RenderError> {
        match self {
            Self::Linux(linux) => linux.script(ending),
            Self::Chain(chain) => chain.script(ending),
            Self::Disc(disc) => disc.script(ending),
            Self::Notice(notice) => notice.script(ending),
        }
    }
}

impl From<Entry> for Action {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::Linux(linux) => Self::Linux(linux),
            Entry::Chain(chain) => Self::Chain(chain),
            Entry::Disc(disc) => Self::Disc(disc),
            Entry::Notice(notice) => Self::Notice(notice),
        }
    }
}

fn notice(lines: &[String; 2]) -> Notice {
    let [what, cure] = lines;
    Notice::new(what.as_str()).line(cure.as_str())
}

/// What is said where a kernel would cut its command line without a word, and boot with half of it.
pub(super) fn too_long(name: &ImageName, length: usize, limit: u32) -> Option<[String; 2]> {
    let cut = u32::try_from(length).map_or(true, |length| length > limit);
    cut.then(|| {
        [
            format!(
                "The command line for image {name} has {length} bytes, and its kernel takes \
                 {limit}."
            ),
            "On the server: shorten cmdline of the image, the group or the target".to_owned(),
        ]
    })
}

/// The same of a unified kernel, which is given the program's name and the words.
pub(super) fn program_too_long(
    name: &ImageName,
    efi: &EfiImage,
    words: &[String],
) -> Option<[String; 2]> {
    let words = words.iter().map(|word| 1 + word.len());
    let length = efi.program().name().as_str().len() + words.sum::<usize>();
    too_long(name, length, efi.unified()?.cmdline_limit())
}

/// The bytes of the command line as iPXE hands it over: the kernel's name, `initrd=…` for each
/// initial RAM disk, then the words.
pub(super) fn line_length(linux: &LinuxImage, words: &[String]) -> usize {
    let kernel = linux.kernel().name().as_str().len();
    let initrds = linux.initrds().iter();
    let initrds = initrds.map(|initrd| " initrd=".len() + initrd.name().as_str().len());
    let words = words.iter().map(|word| 1 + word.len());
    kernel + initrds.chain(words).sum::<usize>()
}

/// The manifest's words, and behind them the configuration's: the image's, then the target's, its
/// group's before its own.
pub(super) fn words<'m>(
    world: &'m World,
    manifest: &'m Manifest,
    of_manifest: impl IntoIterator<Item = &'m String>,
    target: Option<&'m Target>,
    asker: &Asker<'_>,
    report: Option<&str>,
) -> Vec<String> {
    let values = Values {
        mac: asker.mac,
        ip: ipv4(asker.address),
        server: ipv4(asker.origin.server),
        name: target.map(|target| target.name.as_str()),
        arch: manifest.architecture().map(|it| it.as_str()),
        report,
        state_digest: match target.and_then(Target::state_document) {
            Some(document) => asker.state_digest(&document),
            None => StateDigest::None,
        },
    };
    let image = world.config().images.get(manifest.name());
    let of_image = image.into_iter().flat_map(|image| &image.cmdline);
    let config = world.config();
    let of_target = target
        .into_iter()
        .flat_map(|target| config.words_of(target));
    let words = of_manifest.into_iter().chain(of_image).chain(of_target);
    // The configuration's words were checked when it was read; in an image's, braces that no
    // placeholder is known for are its own.
    words
        .map(|word| cmdline::expand_word(word, &values).unwrap_or_else(|_| word.clone()))
        .filter(|word| !word.is_empty())
        .collect()
}
