//! The world that decisions are made in: configuration, images, boot programs and install states, as
//! they were at one moment.
//!
//! A [`World`] never changes; what changes is which one is [`Worlds::current`]. It is numbered, so
//! that what was made from it can be known to be stale.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use netboot_dhcp::MacAddr;
use netboot_image::{ImageName, Manifest, Revision, Store, StoreError};
use uuid::Uuid;

use crate::certificate;
use crate::config::{Circuit, Config, Install, Problems, ProgramChoice, Target, swapped};
use crate::failure::{Chain, Failure};
use crate::install::{InstallStore, Installs, Stamp};
use crate::platform::Platform;
use crate::policy::{KnownBy, Machine};
use crate::programs::{self, Programs};

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
            config,
        }
    }

    /// The same world with these install states, or with why they cannot be read: then nothing is
    /// installed.
    #[must_use]
    pub fn with_installs(mut self, installs: Result<Installs, Failure>) -> Self {
        self.installs = installs;
        self
    }

    /// The world of a configuration as it is now. Only looked at: no folder is made.
    #[must_use]
    pub fn look(config: Config) -> Self {
        let dir = config.images_dir();
        let programs = Programs::scan(&config.programs_dir(), &config.program_dirs);
        let installs = InstallStore::new(&config.state_dir).read();
        let mut world = Self::new(Arc::new(config), Vec::new(), programs).with_installs(installs);
        // A store that is not there yet holds no image.
        if dir.exists()
            && let Err(error) = Store::open(dir).and_then(|store| world.read_images(&store))
        {
            world.broken.push(Chain(&error).to_string());
        }
        world
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

    /// The network that an address is in, by its position in the configuration.
    #[must_use]
    pub fn network_of(&self, address: Ipv4Addr) -> Option<usize> {
        let networks = &self.config.networks;
        networks.iter().position(|net| net.subnet.contains(address))
    }

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
                    format!("run `{}`", self.config.command_for(image)),
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
                "add the image again, or remove what stands there",
            );
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
            for name in choice.iter().flat_map(ProgramChoice::names) {
                if !self.programs.has(name) {
                    problems.warning(
                        format!("{place}.program"),
                        format!("{name} is not at hand"),
                        format!("put it into {}", folder.display()),
                    );
                }
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
                "install the Debian package ipxe, or put undionly.kpxe and ipxe.efi there",
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

/// How long what a look has found is taken for what is there.
const MOMENT: Duration = Duration::from_millis(1);

/// The current world, made anew whenever the store, the programs or the install states have changed.
#[derive(Debug)]
pub struct Worlds {
    store: Store,
    programs_dir: PathBuf,
    installs: InstallStore,
    /// What the disk was when it was last looked at; held while it is looked at again.
    seen: Mutex<Seen>,
    /// When a look for [`Worlds::recent`] began.
    looked: Mutex<Option<Instant>>,
    /// Held to take or exchange it, and not while the disk is looked at.
    current: Mutex<Arc<World>>,
}

#[derive(Debug, PartialEq)]
struct Seen {
    revision: Option<Revision>,
    programs: programs::Stamp,
    installs: Stamp,
}

impl Worlds {
    /// Makes the state folder where it is missing, and the first world.
    ///
    /// # Errors
    ///
    /// Where the image store cannot be made or read.
    pub fn new(config: Arc<Config>) -> Result<Self, Failure> {
        let dir = config.images_dir();
        let failed = |error: StoreError| {
            Failure::new(
                format!("opening the image store {}", dir.display()),
                Chain(&error),
                "let this user write there, or name another folder with --state-dir",
            )
        };
        let store = Store::create(&dir).map_err(failed)?;
        let programs_dir = config.programs_dir();
        std::fs::create_dir_all(&programs_dir).map_err(|error| {
            Failure::new(
                format!("making the folder {}", programs_dir.display()),
                error,
                "let this user write there, or name another folder with --state-dir",
            )
        })?;
        let installs = InstallStore::new(&config.state_dir);
        let programs = Programs::scan(&programs_dir, &config.program_dirs);
        let seen = Seen {
            revision: Some(store.revision().map_err(failed)?),
            programs: programs.stamp(),
            installs: installs.stamp(),
        };
        let mut world = World::new(config, Vec::new(), programs);
        world.read_images(&store).map_err(failed)?;
        world.installs = installs.read();
        world.number = 1;
        Ok(Self {
            store,
            programs_dir,
            installs,
            seen: Mutex::new(seen),
            looked: Mutex::default(),
            current: Mutex::new(Arc::new(world)),
        })
    }

    /// The image store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The store of install states.
    #[must_use]
    pub(crate) fn installs(&self) -> &InstallStore {
        &self.installs
    }

    /// Changes to another configuration with the same state folder; images and install states stay.
    pub(crate) fn reconfigure(&self, config: Arc<Config>) {
        // Held, so that no look puts the old configuration back.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.last();
        let programs = Programs::scan(&self.programs_dir, &config.program_dirs);
        seen.programs = programs.stamp();
        let mut world = World::new(config, Vec::new(), programs);
        world.number = old.number + 1;
        world.images.clone_from(&old.images);
        world.broken.clone_from(&old.broken);
        world.installs.clone_from(&old.installs);
        self.put(world);
    }

    fn put(&self, world: World) -> Arc<World> {
        let world = Arc::new(world);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&world);
        world
    }

    /// The world as it was when it was last looked at. It never waits for a disk.
    #[must_use]
    pub fn last(&self) -> Arc<World> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The world as it is now, or was a moment ago that is shorter than a program takes to end and
    /// a client to ask: what a command has changed is in it. Under load most calls cost no system
    /// call. Blocks.
    pub(crate) fn recent(&self) -> Arc<World> {
        #[expect(clippy::disallowed_methods, reason = "a moment of real time")]
        let now = Instant::now();
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_some_and(|looked| now.saturating_duration_since(looked) < MOMENT) {
            drop(looked);
            return self.last();
        }
        // Held, so that who comes meanwhile waits for this look.
        let world = self.current();
        *looked = Some(now);
        world
    }

    /// The world as it is now. It costs a few `stat` calls where nothing has changed; where the
    /// store cannot be looked at, the last images stay. Blocks.
    #[must_use]
    pub fn current(&self) -> Arc<World> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.last();
        let now = Seen {
            revision: self.store.revision().ok().or(seen.revision),
            programs: old.programs.stamp(),
            installs: self.installs.stamp(),
        };
        if *seen == now {
            return old;
        }
        let mut world = World::new(
            Arc::clone(&old.config),
            Vec::new(),
            Programs::scan(&self.programs_dir, &old.config.program_dirs),
        );
        world.number = old.number + 1;
        if let Err(error) = world.read_images(&self.store) {
            world.images.clone_from(&old.images);
            world.broken.push(Chain(&error).to_string());
        }
        world.installs = self.installs.read();
        // The folders that the new programs were found in.
        *seen = Seen {
            programs: world.programs.stamp(),
            ..now
        };
        self.put(world)
    }
}

impl World {
    fn read_images(&mut self, store: &Store) -> Result<(), StoreError> {
        let listing = store.list()?;
        self.images = listing
            .images
            .into_iter()
            .map(|manifest| (manifest.name().clone(), manifest))
            .collect();
        self.broken = listing
            .problems
            .iter()
            .map(|problem| {
                format!(
                    "image {} cannot be used: {}",
                    problem.name,
                    Chain(&problem.error)
                )
            })
            .collect();
        Ok(())
    }
}
