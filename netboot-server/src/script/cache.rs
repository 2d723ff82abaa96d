//! Scripts as they were written last: one for each machine and each way to reach this server, until
//! the world changes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyper::header::HeaderValue;
use netboot_dhcp::MacAddr;
use netboot_image::{Digest, ImageName};
use netboot_ipxe::RenderError;

use crate::http::etag;
use crate::identity::{Asking, Claim};
use crate::policy::{self, Machine, Served};
use crate::script::{self, Asker, Origin, Trust};
use crate::service::Shared;
use crate::telemetry::events::{Kind, Protocol};
use crate::world::World;

/// How many scripts are kept; then all are written anew.
const MOST: usize = 4096;

/// A script, and what it boots.
#[derive(Debug)]
pub(crate) struct Script {
    /// Its text.
    pub(crate) text: Bytes,
    /// The text's SHA-256 digest, as a validator.
    pub(crate) etag: HeaderValue,
    /// What it boots, and why; `None` where it only leads to the script that does.
    boots: Option<String>,
    /// The images that it names.
    images: Vec<ImageName>,
}

/// The scripts of one world.
#[derive(Debug, Default)]
pub(crate) struct Scripts(Mutex<Cache>);

#[derive(Debug, Default)]
struct Cache {
    world: u64,
    scripts: HashMap<Key, Arc<Script>>,
}

/// All that a script is made from beside its world.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    machine: Machine,
    itself: bool,
    address: IpAddr,
    origin: Origin,
    language: Served,
}

impl Shared {
    /// The script in a language for who asks from an address, told to the event stream under the
    /// path it was asked by, with the machine that was seen behind the address. It is written where
    /// it is not known yet.
    pub(crate) fn script(
        &self,
        language: Served,
        address: IpAddr,
        seen: Option<MacAddr>,
        claim: &Claim,
        origin: Origin,
        (by, path): (Protocol, &str),
    ) -> Result<Arc<Script>, RenderError> {
        let world = self.worlds.recent();
        self.keep_menu_file(&world);
        let Asking { machine, itself } = self.asking(&world, address, claim);
        let key = Key {
            machine,
            itself,
            address,
            origin,
            language,
        };
        let known = self.scripts.lock().of(&world).get(&key).cloned();
        let script = match known {
            Some(script) => script,
            None => {
                let script = Arc::new(self.write(&world, &key)?);
                let mut cache = self.scripts.lock();
                let scripts = cache.of(&world);
                if scripts.len() >= MOST {
                    scripts.clear();
                }
                scripts.insert(key.clone(), Arc::clone(&script));
                script
            }
        };
        let images = script.images.iter().filter_map(|name| world.image(name));
        self.handed_out
            .note(jiff::Timestamp::now(), self.worlds.store(), images);
        if let Some(boots) = &script.boots {
            // A MAC address in a URL is anybody's claim; the address that it came from is not.
            self.emit(
                seen.or(key.machine.mac),
                Kind::Script {
                    client: address,
                    by,
                    path: path.to_owned(),
                    boots: boots.clone(),
                },
            );
        }
        Ok(script)
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
            etag: etag(&Digest::of(text.as_bytes())),
            text: text.into(),
            boots: (!leads).then(|| decision.of_script()),
            images: named
                .into_iter()
                .map(|manifest| manifest.name().clone())
                .collect(),
        })
    }
}

impl Scripts {
    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
