//! One answer on its way out: how far it is, and what is told when it ends.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::downloads::Shown;

/// How an answer went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Bytes of the body handed to the system.
    pub(crate) bytes: u64,
    /// Whether that was all of it.
    pub(crate) complete: bool,
}

type OnEnd = Box<dyn FnOnce(Sent) + Send + Sync>;

/// Shared by all that still has a part of the answer; it ends when the last of them drops it.
#[derive(Default)]
pub(crate) struct Transfer {
    length: u64,
    sent: AtomicU64,
    on_end: Option<OnEnd>,
    shown: Option<Shown>,
    held: Option<Arc<()>>,
}

impl Transfer {
    /// An answer with so many bytes of body.
    pub(crate) fn new(length: u64) -> Self {
        let mut transfer = Self::default();
        transfer.length = length;
        transfer
    }

    /// Shows how far it is until it ends.
    pub(crate) fn show(&mut self, shown: Shown) {
        self.shown = Some(shown);
    }

    /// Holds this until it ends.
    pub(crate) fn hold(&mut self, held: Arc<()>) {
        self.held = Some(held);
    }

    /// Calls this when it ends.
    pub(crate) fn on_end(&mut self, on_end: impl FnOnce(Sent) + Send + Sync + 'static) {
        self.on_end = Some(Box::new(on_end));
    }

    /// Says that so many bytes more are out.
    pub(crate) fn add(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
        if let Some(shown) = &self.shown {
            shown.download.add(bytes);
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if let Some(on_end) = self.on_end.take() {
            let bytes = *self.sent.get_mut();
            let complete = bytes == self.length;
            on_end(Sent { bytes, complete });
        }
    }
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer")
            .field("length", &self.length)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}
