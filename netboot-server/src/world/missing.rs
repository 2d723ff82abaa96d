//! What the configuration names and the host does not have.

use netboot_image::{BootMethod, ImageName};

use super::World;
use crate::config::cmdline::{self, Values};
use crate::config::platform::Platform;
use crate::config::{
    Install, MenuAction, Problems, ProgramChoice, Unknown, never_default, or_nearest,
};
use crate::world::certificate;

impl World {
    /// Adds a warning for everything that the configuration names and that is not at hand, and an
    /// error for a certificate that HTTPS cannot be served with.
    pub fn warn(&self, problems: &mut Problems) {
        let mut missing = |place: String, image: Option<&ImageName>, whose: &str| {
            if let Some(image) = image.filter(|image| self.image(image).is_none()) {
                problems.warning(
                    place,
                    format!(
                        "image {image} is not in the store; {whose} gets a script that says so"
                    ),
                    self.cure_for(image),
                );
            }
        };
        let install = |install: &Option<Install>| install.as_ref().map(|it| it.image.clone());
        for (name, group) in &self.config.groups {
            let (whose, place) = (format!("group {name}"), format!("netboot.groups.{name}"));
            missing(format!("{place}.config"), group.image.as_ref(), &whose);
            let image = install(&group.install);
            missing(format!("{place}.install.image"), image.as_ref(), &whose);
        }
        for target in &self.config.targets {
            let (whose, place) = (&target.name, &target.place);
            missing(format!("{place}.config"), target.image.as_ref(), whose);
            let image = install(&target.install);
            missing(format!("{place}.install.image"), image.as_ref(), whose);
        }
        self.warn_of_menu(problems);
        self.warn_of_words(problems);
        self.warn_of_empty_placeholders(problems);
        if let Err(failure) = &self.installs {
            problems.warning(&failure.tried, failure.why.clone(), failure.cure.clone());
        }
        if let Some(tls) = &self.config.tls {
            certificate::check(tls, problems);
        }
        self.warn_of_programs(problems);
        for broken in &self.broken {
            problems.warning(
                self.config.images_dir().display(),
                broken.clone(),
                "add the image again, make a whole generation current with `netboot image \
                 rollback`, or remove what stands there: an image by `netboot image remove`",
            );
        }
    }

    /// What brings an image into the store that is not there, or the one that was perhaps meant.
    fn cure_for(&self, image: &ImageName) -> String {
        let known = self.images.keys().map(ImageName::as_str);
        let cure = format!("run `{}`", self.config.command_for(image));
        // One that is to be built is meant as it is written.
        match self.config.images.contains_key(image) {
            true => cure,
            false => or_nearest(image.as_str(), known, &cure),
        }
    }

    /// Items that lead nowhere, and a default that is another than the one that is named.
    fn warn_of_menu(&self, problems: &mut Problems) {
        let menu = &self.config.menu;
        for (index, item) in menu.items.iter().flatten().enumerate() {
            if let MenuAction::Image(image) = &item.action
                && self.image(image).is_none()
            {
                problems.warning(
                    format!("netboot.menu.items[{index}].image"),
                    format!("image {image} is not in the store; the item says so"),
                    self.cure_for(image),
                );
            }
        }
        for (image, what) in self
            .images
            .keys()
            .filter_map(|it| Some((it, never_default(it)?)))
        {
            let place = self.config.images_dir().join(image.as_str());
            problems.warning(place.display(), what, "add it by another name");
        }
        let items = self.menu_items();
        let place = "netboot.menu.default";
        let taken = self.default_item(&items).and_then(|at| items.get(at));
        let then = match taken {
            Some(_) => "machines boot their local disk when nobody chooses",
            None => "the menu waits until somebody chooses",
        };
        match &menu.default {
            None if menu.timeout_s > 0 => problems.warning(
                place,
                format!("is not there, and the local disk is none of the items: {then}"),
                "name an item as the default, or add { local = true } to the items",
            ),
            Some(named) if !taken.is_some_and(|item| item.action.is_called(named)) => {
                let images = self.images.keys().map(ImageName::as_str);
                let known = images.chain(["local", "shell"]);
                let cure = match named.parse::<ImageName>() {
                    Ok(image) if self.config.images.contains_key(&image) => self.cure_for(&image),
                    _ => or_nearest(named, known, "name an image, `local` or `shell`"),
                };
                let what = format!("{named:?} is no image in the store; {then}");
                problems.warning(place, what, cure);
            }
            _ => {}
        }
    }

    /// Words of command lines that an image does not take.
    fn warn_of_words(&self, problems: &mut Problems) {
        let mut warn = |place: String, words: &[String], image: &ImageName| {
            let Some(manifest) = self.image(image).filter(|_| !words.is_empty()) else {
                return;
            };
            let place = format!("{place}.cmdline");
            match manifest.boot() {
                BootMethod::Chain(_) | BootMethod::Iso(_) => problems.warning(
                    place,
                    format!(
                        "image {image} is of kind {}, which takes no command line",
                        manifest.boot().kind()
                    ),
                    "take it out, or boot an image that takes one",
                ),
                BootMethod::Efi(efi)
                    if efi.unified().is_some_and(|own| !own.cmdline().is_empty()) =>
                {
                    problems.warning(
                        place,
                        format!(
                            "image {image} is a unified kernel with a command line of its own, \
                             and takes no other where Secure Boot is on"
                        ),
                        "build it with these words, or boot it without Secure Boot",
                    );
                }
                _ => {}
            }
        };
        for (name, image) in &self.config.images {
            warn(format!("netboot.images.{name}"), &image.cmdline, name);
        }
        for target in &self.config.targets {
            let group = self.config.group_of(target);
            let of_group = group.and_then(|group| group.image.as_ref());
            let installs =
                |install: &'_ Option<Install>| install.as_ref().map(|it| it.image.clone());
            let installed = installs(&target.install)
                .or_else(|| group.and_then(|group| installs(&group.install)));
            let boots = target.image.as_ref().or(of_group).cloned();
            let words: Vec<_> = self.config.words_of(target).cloned().collect();
            for image in boots.iter().chain(&installed) {
                warn(target.place.clone(), &words, image);
            }
        }
    }

    /// Placeholders in command lines that have nothing to stand for where the image is booted from
    /// the menu.
    fn warn_of_empty_placeholders(&self, problems: &mut Problems) {
        let config = &self.config;
        let strangers = config.menu.unknown == Unknown::Menu;
        let to_targets = config.targets.iter().any(|target| {
            let group = config.group_of(target);
            let image = target.image.as_ref();
            image.or_else(|| group?.image.as_ref()).is_none()
        });
        for item in self.menu_items().iter() {
            let MenuAction::Image(image) = &item.action else {
                continue;
            };
            let Some(manifest) = self.image(image) else {
                continue;
            };
            let of_manifest = match manifest.boot() {
                BootMethod::Linux(linux) => linux.cmdline(),
                BootMethod::Efi(efi) => efi.cmdline(),
                _ => &[],
            };
            let settings = config.images.get(image);
            let of_config = settings.map(|image| image.cmdline.as_slice());
            let of_config = of_config.unwrap_or_default();
            let depends_on = |values: &Values<'_>| {
                let mut words = of_manifest.iter().chain(of_config);
                words.any(|word| cmdline::depends_on(word, values))
            };
            let name = Values {
                name: Some("name"),
                ..Values::default()
            };
            let report = Values {
                report: Some("report"),
                ..Values::default()
            };
            let place = match of_config {
                [] => config
                    .images_dir()
                    .join(image.as_str())
                    .display()
                    .to_string(),
                _ => format!("netboot.images.{image}.cmdline"),
            };
            if strangers && depends_on(&name) {
                problems.warning(
                    &place,
                    format!(
                        "holds {{name}}, which stands for nothing on a machine that is no target, \
                         and the menu offers image {image} to those, too"
                    ),
                    format!(
                        "leave it out, or keep the image out of the menu: \
                         netboot.images.{image}.menu = false"
                    ),
                );
            }
            if (strangers || to_targets) && depends_on(&report) {
                problems.warning(
                    &place,
                    format!(
                        "holds {{report}}, which stands for nothing where no `install` is due, \
                         and the menu offers image {image}"
                    ),
                    format!("keep it out of the menu: netboot.images.{image}.menu = false"),
                );
            }
        }
    }

    /// Programs that are named and not at hand; and the platforms of PCs that none is at hand for.
    fn warn_of_programs(&self, problems: &mut Problems) {
        let folder = self.config.programs_dir();
        let targets = self.config.targets.iter();
        let targets = targets.map(|target| (target.place.clone(), &target.program));
        let groups = self.config.groups.iter();
        let groups = groups.map(|(name, group)| (format!("netboot.groups.{name}"), &group.program));
        let networks = self.config.networks.iter();
        let networks =
            networks.map(|network| (format!("network {}", network.name), &network.program));
        for (place, choice) in targets.chain(groups).chain(networks) {
            for (platform, name) in choice.iter().flat_map(ProgramChoice::named) {
                let built_for = self.programs.built_for(name);
                match (platform, built_for) {
                    _ if !self.programs.has(name) => problems.warning(
                        format!("{place}.program"),
                        format!("{name} is not at hand"),
                        format!("put it into {}", folder.display()),
                    ),
                    (Some(platform), Some(other)) if platform != other => problems.warning(
                        format!("{place}.program.{platform}"),
                        format!("{name} is for {other}, by its header"),
                        format!("name a program for {platform}, or this one for {other}"),
                    ),
                    _ => {}
                }
            }
        }
        for platform in Platform::ALL {
            if self.programs.for_platform(platform).is_some() {
                continue;
            }
            for (name, other) in self.programs.for_others(platform) {
                let path = self.programs.path(name).unwrap_or(&folder);
                problems.note(
                    path.display(),
                    format!("is for {other}, by its header, so {platform} machines do not get it"),
                );
            }
        }
        let lacking: Vec<_> = Platform::ALL
            .into_iter()
            .filter(|&platform| self.programs.for_platform(platform).is_none())
            .collect();
        if lacking.contains(&Platform::Bios) && lacking.contains(&Platform::X64) {
            problems.warning(
                folder.display(),
                "no iPXE program is at hand, here or in the distribution's folders",
                "install iPXE (the package ipxe of Debian and of nixpkgs), or put undionly.kpxe \
                 and ipxe.efi there",
            );
        } else if !lacking.is_empty() {
            let lacking: Vec<_> = lacking.into_iter().map(Platform::name).collect();
            problems.note(
                folder.display(),
                format!("holds no boot program for {}", lacking.join(", ")),
            );
        }
    }
}
