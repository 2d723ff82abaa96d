//! Scripts as they were written last: one for each machine and each way to reach this server, until
//! the world changes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use netboot_image::{Digest, ImageName, Manifest, Store};
use netboot_ipxe::RenderError;

use super::menu_file;
use super::pins::Pins;
use super::{Asker, Trust};
use crate::paths::Served;
use crate::policy::{self, Origin};
use crate::script;
use crate::telemetry::events::{LoadedFiles, ScriptAction};
use crate::world::installs::Secret;
use crate::world::{Machine, World};

/// How many scripts are kept; then all are written anew.
const MOST: usize = 4096;

/// A script, and what it boots.
#[derive(Debug)]
pub(crate) struct Script {
    /// Its text.
    pub(crate) text: Bytes,
    /// The text's digest.
    pub(crate) digest: Digest,
    /// What it boots, and why; `None` where it only leads to the script that does.
    pub(crate) boots: Option<String>,
    /// What it does.
    pub(crate) action: ScriptAction,
    /// What a machine loads of each image that it can boot by it.
    pub(crate) loads: Arc<[LoadedFiles]>,
    /// The images that it names.
    images: Vec<ImageName>,
}

/// The scripts of one world.
#[derive(Debug)]
pub(crate) struct Scripts {
    cache: Mutex<Cache>,
    pins: Pins,
    secret: Arc<Secret>,
    /// The number of the world whose menu is in the file for people.
    menu_written: AtomicU64,
}

#[derive(Debug, Default)]
struct Cache {
    world: u64,
    scripts: HashMap<Key, Arc<Script>>,
}

/// All that a script is made from beside its world.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) machine: Machine,
    pub(crate) itself: bool,
    pub(crate) address: IpAddr,
    pub(crate) origin: Origin,
    pub(crate) language: Served,
}

impl Scripts {
    /// Scripts that may hold tokens made by this secret.
    pub(crate) fn new(secret: Arc<Secret>) -> Self {
        Self {
            cache: Mutex::default(),
            pins: Pins::default(),
            secret,
            menu_written: AtomicU64::new(0),
        }
    }

    /// The script of this key, written where it is not known yet. The store is told which
    /// generations it names.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub(crate) fn script(
        &self,
        now: jiff::Timestamp,
        store: &Store,
        world: &World,
        key: Key,
    ) -> Result<Arc<Script>, RenderError> {
        self.keep_menu_file(world);
        let known = self.lock().of(world).get(&key).cloned();
        let script = match known {
            Some(script) => script,
            None => {
                let script = Arc::new(self.write(world, &key)?);
                let mut cache = self.lock();
                let scripts = cache.of(world);
                if scripts.len() >= MOST {
                    scripts.clear();
                }
                scripts.insert(key, Arc::clone(&script));
                script
            }
        };
        let images = script.images.iter().filter_map(|name| world.image(name));
        self.pins.note(now, store, images);
        Ok(script)
    }

    /// Writes the menu file where the world is another than that of the last time.
    pub(crate) fn keep_menu_file(&self, world: &World) {
        if self.menu_written.swap(world.number(), Ordering::Relaxed) != world.number()
            && let Err(failure) = menu_file::write(world)
        {
            tracing::warn!("{failure}");
        }
    }

    fn write(&self, world: &World, key: &Key) -> Result<Script, RenderError> {
        let decision = policy::decide(world, &key.machine);
        let asker = Asker {
            mac: key.machine.mac,
            address: key.address,
            origin: key.origin,
            trust: if key.itself {
                Trust::itself(&self.secret)
            } else {
                Trust::NOBODY
            },
        };
        let text = match key.language {
            Served::Script => script::write(world, &decision, &asker)?,
            Served::Autoexec => script::write_autoexec(world, &decision, &key.machine, &asker)?,
            Served::Grub => script::write_grub(world, &decision, &asker),
            Served::Pxelinux => script::write_pxelinux(world, &decision, &asker),
        };
        let leads = key.language == Served::Autoexec;
        let named = match leads {
            true => Vec::new(),
            false => script::named(world, &decision),
        };
        Ok(Script {
            digest: Digest::of(text.as_bytes()),
            text: text.into(),
            boots: (!leads).then(|| decision.of_script()),
            action: script::action(world, &decision, &asker),
            loads: named.iter().map(|manifest| loaded(manifest)).collect(),
            images: named
                .into_iter()
                .map(|manifest| manifest.name().clone())
                .collect(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a machine loads of an image.
fn loaded(manifest: &Manifest) -> LoadedFiles {
    let (name, generation) = (manifest.name(), manifest.generation());
    let files = manifest.boot().files();
    files
        .map(|file| format!("{name}/{generation}/{}", file.name()))
        .collect()
}

impl Cache {
    /// The scripts of this world; those of another are forgotten.
    fn of(&mut self, world: &World) -> &mut HashMap<Key, Arc<Script>> {
        if self.world != world.number() {
            self.world = world.number();
            self.scripts.clear();
        }
        &mut self.scripts
    }
}
