//! Telling the store which generations boot scripts name, so that `netboot image prune` spares them
//! for a day.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use netboot_image::{Generation, ImageName, Manifest, Store};

use crate::failure::Chain;

/// How seldom the same generation is noted again; what is spared, is for a day.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// Which generation of each image was last noted, and when: one entry for each name in the store.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    noted: Mutex<BTreeMap<ImageName, (Generation, Timestamp)>>,
}

impl Pins {
    /// Notes that a script which names these was handed out now.
    pub(crate) fn note<'m>(
        &self,
        now: Timestamp,
        store: &Store,
        manifests: impl IntoIterator<Item = &'m Manifest>,
    ) {
        let manifests = manifests.into_iter();
        for manifest in manifests.filter(|manifest| self.is_due(now, manifest)) {
            let noted = store.mark_handed_out(now.into(), manifest.name(), manifest.generation());
            if let Err(error) = noted {
                tracing::warn!("pruning may remove what a script names: {}", Chain(&error));
            }
        }
    }

    fn is_due(&self, now: Timestamp, manifest: &Manifest) -> bool {
        let (name, generation) = (manifest.name(), manifest.generation());
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        match noted.get_mut(name) {
            // A clock that was put back is no reason to wait.
            Some((of, at))
                if *of == generation && *at <= now && now.duration_since(*at) < PAUSE =>
            {
                false
            }
            Some(last) => {
                *last = (generation, now);
                true
            }
            None => {
                noted.insert(name.clone(), (generation, now));
                true
            }
        }
    }
}
