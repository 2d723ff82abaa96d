//! The world that decisions are made in: configuration, images, boot programs, install states and
//! the policy of a program that embeds the server, as they were at one moment.
//!
//! A [`World`] never changes; what changes is which one is [`Worlds::current`]. It is numbered, so
//! that what was made from it can be known to be stale.

pub(crate) mod certificate;
mod current;
pub mod installs;
mod machine;
mod menu;
mod missing;
mod own_policy;
pub mod programs;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use netboot_dhcp::MacAddr;
use netboot_image::{ImageName, Listing, Manifest, Store};
use uuid::Uuid;

use crate::config::{Circuit, Config, Target, swapped};
use crate::failure::{Chain, Failure};
use crate::state_dir;
use crate::world::installs::{InstallStore, Installs};
use crate::world::programs::Programs;

pub use current::Worlds;
pub use machine::{KnownBy, Machine};
pub use own_policy::{Choice, Policy};
pub(crate) use own_policy::{Chosen, OwnPolicy};

/// Configuration, images, boot programs and install states at one moment.
#[derive(Debug)]
pub struct World {
    number: u64,
    config: Arc<Config>,
    by_mac: BTreeMap<MacAddr, usize>,
    by_uuid: BTreeMap<Uuid, usize>,
    by_circuit: BTreeMap<Circuit, usize>,
    images: BTreeMap<ImageName, Manifest>,
    broken: Vec<String>,
    programs: Programs,
    installs: Result<Installs, Failure>,
    own_policy: Option<OwnPolicy>,
}

impl World {
    /// Puts a world together in which nothing is installed yet. Its number is 0.
    #[must_use]
    pub fn new(config: Arc<Config>, images: Vec<Manifest>, programs: Programs) -> Self {
        let targets = || config.targets.iter().enumerate();
        let uuids = targets().filter_map(|(index, target)| Some((target.uuid?, index)));
        Self {
            number: 0,
            by_mac: targets()
                .filter_map(|(index, target)| Some((target.mac?, index)))
                .collect(),
            // Firmware says it in either order of bytes.
            by_uuid: uuids
                .flat_map(|(uuid, index)| [(uuid, index), (swapped(uuid), index)])
                .collect(),
            by_circuit: targets()
                .filter_map(|(index, target)| Some((target.circuit.clone()?, index)))
                .collect(),
            images: images
                .into_iter()
                .map(|manifest| (manifest.name().clone(), manifest))
                .collect(),
            broken: Vec::new(),
            programs,
            installs: Ok(Installs::default()),
            own_policy: None,
            config,
        }
    }

    /// One of a configuration in TOML, which a test knows to be right.
    #[cfg(test)]
    pub(crate) fn of_text(text: &str, images: Vec<Manifest>, programs: Programs) -> Self {
        let (flags, host) = (
            crate::config::Flags::default(),
            crate::config::Host::default(),
        );
        let (config, problems) = crate::config::load_text("test", text, false, &flags, &host);
        let config = config.unwrap_or_else(|| panic!("{problems}"));
        Self::new(Arc::new(config), images, programs)
    }

    /// The same world with these install states, or with why they cannot be read: then nothing is
    /// installed.
    #[must_use]
    pub fn with_installs(mut self, installs: Result<Installs, Failure>) -> Self {
        self.installs = installs;
        self
    }

    /// The same world, in which this policy is asked before the configuration.
    #[must_use]
    pub fn with_policy(mut self, policy: impl Policy) -> Self {
        self.own_policy = Some(OwnPolicy::new(policy));
        self
    }

    /// The world of a configuration as it is now. Only looked at: no folder is made.
    ///
    /// # Errors
    ///
    /// Where this user may not look at all of it: what it may not see would seem to be absent.
    pub fn look(config: Config) -> Result<Self, Failure> {
        let (images_dir, programs_dir) = (config.images_dir(), config.programs_dir());
        let installs = InstallStore::new(&config.state_dir);
        for path in [&config.state_dir, &programs_dir, installs.file()] {
            state_dir::may_read(path)?;
        }
        let programs = Programs::scan(&programs_dir, &config.program_dirs);
        let mut world =
            Self::new(Arc::new(config), Vec::new(), programs).with_installs(installs.read());
        // A store that is not there yet holds no image.
        if matches!(images_dir.try_exists(), Ok(false)) {
            return Ok(world);
        }
        let listing = Store::open(&images_dir).and_then(|store| store.list());
        let denied = match &listing {
            Err(error) => error.denied(),
            Ok(listing) => listing.unusable.iter().find_map(|it| it.error.denied()),
        };
        if let Some(path) = denied {
            return Err(Failure::new(
                format!("reading the image store {}", images_dir.display()),
                format!("this user may not read {}", path.display()),
                state_dir::who_may(path),
            ));
        }
        match listing {
            Ok(listing) => world.take_images(listing),
            Err(error) => world.broken.push(Chain(&error).to_string()),
        }
        Ok(world)
    }

    /// How many worlds there were before this one.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The boot programs at hand.
    #[must_use]
    pub fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The current generation of an image.
    #[must_use]
    pub fn image(&self, name: &ImageName) -> Option<&Manifest> {
        self.images.get(name)
    }

    /// The current generation of every image, by name.
    pub fn images(&self) -> impl Iterator<Item = &Manifest> {
        self.images.values()
    }

    /// What stands in the store and cannot be used, a sentence each.
    #[must_use]
    pub fn broken(&self) -> &[String] {
        &self.broken
    }

    /// The target with this MAC address, and its position in the configuration.
    #[must_use]
    pub fn target(&self, mac: MacAddr) -> Option<(usize, &Target)> {
        let index = *self.by_mac.get(&mac)?;
        Some((index, self.config.targets.get(index)?))
    }

    /// The install states, where they can be read.
    #[must_use]
    pub fn installs(&self) -> Option<&Installs> {
        self.installs.as_ref().ok()
    }

    /// The target that a machine is, its position in the configuration, and what tells so: the MAC
    /// address before the UUID, that before the circuit.
    #[must_use]
    pub fn find(&self, machine: &Machine) -> Option<(usize, &Target, KnownBy)> {
        let by_mac = || Some((*self.by_mac.get(&machine.mac?)?, KnownBy::Mac));
        let by_uuid = || Some((*self.by_uuid.get(&machine.uuid?)?, KnownBy::Uuid));
        let by_circuit = || {
            let circuit = machine.circuit.as_ref()?;
            Some((*self.by_circuit.get(circuit)?, KnownBy::Circuit))
        };
        let (index, by) = by_mac().or_else(by_uuid).or_else(by_circuit)?;
        Some((index, self.config.targets.get(index)?, by))
    }

    /// What the program that embeds the server has the machine boot; `None` where that is the
    /// configuration's to say.
    pub(crate) fn choice(&self, machine: &Machine) -> Option<Choice> {
        self.own_policy.as_ref()?.choose(self, machine)
    }

    /// The network that an address is in, by its position in the configuration.
    #[must_use]
    pub fn network_of(&self, address: Ipv4Addr) -> Option<usize> {
        let networks = &self.config.networks;
        networks.iter().position(|net| net.subnet.contains(address))
    }

    fn take_images(&mut self, listing: Listing) {
        self.images = listing
            .images
            .into_iter()
            .map(|manifest| (manifest.name().clone(), manifest))
            .collect();
        self.broken = listing
            .unusable
            .iter()
            .map(|image| {
                format!(
                    "image {} cannot be used: {}",
                    image.name,
                    Chain(&image.error)
                )
            })
            .collect();
    }
}
