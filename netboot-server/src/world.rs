//! The world that decisions are made in: configuration, images and boot programs, as they were at
//! one moment.
//!
//! A [`World`] never changes; what changes is which one is [`Worlds::current`]. It is numbered, so
//! that what was made from it can be known to be stale.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use netboot_dhcp::MacAddr;
use netboot_image::{ImageName, Manifest, Revision, Store, StoreError};

use crate::config::{Config, Problems, Target};
use crate::failure::{Chain, Failure};
use crate::programs::{self, Programs};

/// Configuration, images and boot programs at one moment.
#[derive(Debug)]
pub struct World {
    number: u64,
    config: Arc<Config>,
    by_mac: BTreeMap<MacAddr, usize>,
    images: BTreeMap<ImageName, Manifest>,
    broken: Vec<String>,
    programs: Programs,
}

impl World {
    /// Puts a world together. Its number is 0.
    #[must_use]
    pub fn new(config: Arc<Config>, images: Vec<Manifest>, programs: Programs) -> Self {
        let targets = config.targets.iter().enumerate();
        Self {
            number: 0,
            by_mac: targets.map(|(index, target)| (target.mac, index)).collect(),
            images: images
                .into_iter()
                .map(|manifest| (manifest.name().clone(), manifest))
                .collect(),
            broken: Vec::new(),
            programs,
            config,
        }
    }

    /// The world of a configuration as it is now. Only looked at: no folder is made.
    #[must_use]
    pub fn look(config: Config) -> Self {
        let dir = config.images_dir();
        let programs = Programs::scan(&config.programs_dir());
        let mut world = Self::new(Arc::new(config), Vec::new(), programs);
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

    /// Adds a warning for everything that the configuration names and that is not at hand.
    pub fn warn(&self, problems: &mut Problems) {
        for target in &self.config.targets {
            if let Some(image) = target.image.as_ref().filter(|i| self.image(i).is_none()) {
                problems.warning(
                    format!("{}.config", target.place),
                    format!(
                        "image {image} is not in the store; {} gets a script that says so",
                        target.name
                    ),
                    format!("run `netboot image add {image} --kernel FILE --initrd FILE`"),
                );
            }
            if let Some(program) = target.program.as_ref().filter(|p| !self.programs.has(p)) {
                problems.warning(
                    format!("{}.program", target.place),
                    format!("{program} is not at hand"),
                    format!("put it into {}", self.config.programs_dir().display()),
                );
            }
        }
        for broken in &self.broken {
            problems.warning(
                self.config.images_dir().display(),
                broken.clone(),
                "add the image again, or remove what stands there",
            );
        }
        if !self.programs.has("undionly.kpxe") && !self.programs.has("ipxe.efi") {
            problems.warning(
                self.config.programs_dir().display(),
                "no iPXE program is at hand, here or in the distribution's folders",
                "install the Debian package ipxe, or put undionly.kpxe and ipxe.efi there",
            );
        }
    }
}

/// The current world, made anew whenever the store or the programs have changed.
#[derive(Debug)]
pub struct Worlds {
    store: Store,
    programs_dir: PathBuf,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    world: Arc<World>,
    revision: Revision,
    stamp: programs::Stamp,
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
        let revision = store.revision().map_err(failed)?;
        let stamp = Programs::stamp(&programs_dir);
        let mut world = World::new(config, Vec::new(), Programs::scan(&programs_dir));
        world.read_images(&store).map_err(failed)?;
        world.number = 1;
        Ok(Self {
            store,
            programs_dir,
            current: Mutex::new(Current {
                world: Arc::new(world),
                revision,
                stamp,
            }),
        })
    }

    /// The image store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Changes to another configuration with the same state folder; images and programs stay.
    pub(crate) fn reconfigure(&self, config: Arc<Config>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let old = &current.world;
        let mut world = World::new(config, Vec::new(), old.programs.clone());
        world.number = old.number + 1;
        world.images.clone_from(&old.images);
        world.broken.clone_from(&old.broken);
        current.world = Arc::new(world);
    }

    /// The world as it is now. It costs a few `stat` calls where nothing has changed; where the
    /// store cannot be looked at, the last world stays.
    #[must_use]
    pub fn current(&self) -> Arc<World> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = self.store.revision().unwrap_or(current.revision);
        let stamp = Programs::stamp(&self.programs_dir);
        if revision == current.revision && stamp == current.stamp {
            return Arc::clone(&current.world);
        }
        let old = &current.world;
        let mut world = World::new(
            Arc::clone(&old.config),
            Vec::new(),
            Programs::scan(&self.programs_dir),
        );
        world.number = old.number + 1;
        if let Err(error) = world.read_images(&self.store) {
            world.images.clone_from(&old.images);
            world.broken.push(Chain(&error).to_string());
        }
        *current = Current {
            world: Arc::new(world),
            revision,
            stamp,
        };
        Arc::clone(&current.world)
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
