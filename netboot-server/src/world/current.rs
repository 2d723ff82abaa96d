//! Which world is the current one.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use netboot_image::{Revision, Store, StoreError};

use super::{OwnPolicy, World};
use crate::config::Config;
use crate::failure::{Chain, Failure};
use crate::state_dir;
use crate::world::installs::{InstallStore, Stamp};
use crate::world::programs::{self, Programs};

/// How long what a look has found is taken for what is there.
const MOMENT: Duration = Duration::from_millis(1);

/// The current world, made anew whenever the store, the programs or the install states have
/// changed.
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
    pub(crate) fn new(config: Arc<Config>, own_policy: Option<OwnPolicy>) -> Result<Self, Failure> {
        let dir = config.images_dir();
        let failed = |error: StoreError| {
            let cure = match error.denied() {
                Some(path) => state_dir::who_may(path),
                None => "mend that, or name another folder with --state-dir".into(),
            };
            let tried = format!("opening the image store {}", dir.display());
            Failure::new(tried, Chain(&error), cure)
        };
        let store = Store::create(&dir).map_err(failed)?;
        let programs_dir = config.programs_dir();
        state_dir::make_dir(&programs_dir).map_err(|error| {
            let other = "name another folder with --state-dir";
            let cure = state_dir::cure(&programs_dir, &error, other);
            let tried = format!("making the folder {}", programs_dir.display());
            Failure::new(tried, error, cure)
        })?;
        let installs = InstallStore::new(&config.state_dir);
        let programs = Programs::scan(&programs_dir, &config.program_dirs);
        let seen = Seen {
            revision: Some(store.revision().map_err(failed)?),
            programs: programs.scanned(),
            installs: installs.stamp(),
        };
        let mut world = World::new(config, Vec::new(), programs);
        world.take_images(store.list().map_err(failed)?);
        world.installs = installs.read();
        world.own_policy = own_policy;
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
        self.exchange(Some(config));
    }

    /// Changes to a world in which all is as it was, so that everything is decided anew.
    pub(crate) fn renew(&self) {
        self.exchange(None);
    }

    fn exchange(&self, config: Option<Arc<Config>>) {
        // Held, so that no look puts the old configuration back.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.last();
        let config = config.unwrap_or_else(|| Arc::clone(&old.config));
        let programs = Programs::scan(&self.programs_dir, &config.program_dirs);
        seen.programs = programs.scanned();
        let mut world = World::new(config, Vec::new(), programs);
        world.number = old.number + 1;
        world.images.clone_from(&old.images);
        world.broken.clone_from(&old.broken);
        world.installs.clone_from(&old.installs);
        world.own_policy.clone_from(&old.own_policy);
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
        self.recent_at(Instant::now())
    }

    fn recent_at(&self, now: Instant) -> Arc<World> {
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
        match self.store.list() {
            Ok(listing) => world.take_images(listing),
            Err(error) => {
                world.images.clone_from(&old.images);
                world.broken.push(Chain(&error).to_string());
            }
        }
        world.installs = self.installs.read();
        world.own_policy.clone_from(&old.own_policy);
        // The folders that the new programs were found in.
        *seen = Seen {
            programs: world.programs.scanned(),
            ..now
        };
        self.put(world)
    }
}

#[cfg(test)]
mod tests {
    use netboot_image::NewImage;

    use super::*;
    use crate::config::{Flags, Host, load_text};

    fn worlds(state: &std::path::Path) -> Worlds {
        let text = format!(
            r#"
            [netboot]
            state_dir = "{}"
            program_dirs = []
            [netboot.server]
            ip = "192.168.100.1"
            interface = "eth1"
            dhcp_range = {{ start = "192.168.100.100", end = "192.168.100.200" }}
            "#,
            state.display()
        );
        let (config, problems) =
            load_text("test", &text, false, &Flags::default(), &Host::default());
        let config = config.unwrap_or_else(|| panic!("{problems}"));
        Worlds::new(config.into(), None).expect("a store")
    }

    /// Adds an image as another process does, by a store of its own.
    fn add(state: &std::path::Path, name: &str) {
        let store = Store::open(state.join("http/images")).expect("the store");
        let image = NewImage::chain(name.parse().expect("a name"), "http://192.0.2.1/x.ipxe");
        let added = store.publish(std::time::SystemTime::UNIX_EPOCH, image);
        added.expect("an image");
    }

    fn has(world: &World, name: &str) -> bool {
        world.image(&name.parse().expect("a name")).is_some()
    }

    #[test]
    fn what_has_changed_is_looked_for_once_a_moment() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let worlds = worlds(state.path());
        #[expect(clippy::disallowed_methods, reason = "where the test's clock begins")]
        let first = Instant::now();
        // Before anybody asked nothing was looked at, however young the world is.
        add(state.path(), "a");
        assert!(!has(&worlds.last(), "a"));
        assert!(has(&worlds.recent_at(first), "a"));

        add(state.path(), "b");
        let within = worlds.recent_at(first + MOMENT / 2);
        assert!(!has(&within, "b"), "it looks again within the moment");
        assert!(Arc::ptr_eq(&within, &worlds.last()));
        assert!(has(&worlds.recent_at(first + MOMENT), "b"));

        // Of two who came together the later one may be first to look.
        add(state.path(), "c");
        assert!(!has(&worlds.recent_at(first), "c"));
        assert!(has(&worlds.recent_at(first + MOMENT * 2), "c"));
        let unchanged = worlds.recent_at(first + MOMENT * 3);
        assert_eq!(unchanged.number(), 4);
    }

    #[test]
    fn who_asks_within_a_moment_gets_what_was_changed_to() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let worlds = worlds(state.path());
        #[expect(clippy::disallowed_methods, reason = "where the test's clock begins")]
        let now = Instant::now();
        let before = worlds.recent_at(now);
        let mut config = before.config().clone();
        config.menu.title = "another".to_owned();
        worlds.reconfigure(config.into());
        assert_eq!(worlds.recent_at(now).config().menu.title, "another");
    }
}
