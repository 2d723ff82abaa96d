//! Which world is the current one.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use netboot_image::{Revision, Store, StoreError};

use super::World;
use crate::config::Config;
use crate::failure::{Chain, Failure};
use crate::world::installs::{InstallStore, Stamp};
use crate::world::programs::{self, Programs};

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
            programs: programs.scanned(),
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
        seen.programs = programs.scanned();
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
            programs: world.programs.scanned(),
            ..now
        };
        self.put(world)
    }
}
