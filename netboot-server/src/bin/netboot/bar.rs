//! A progress bar on standard error, where that is a terminal, and nothing anywhere else.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use netboot_image::Verifying;

/// How far something is that takes long; it vanishes with the value.
pub(crate) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new(0);
        let shown =
            "{msg} [{wide_bar}] {bytes:>10}/{total_bytes} {bytes_per_sec:>12} {eta:>3} left";
        // The text is a constant, and a bar of another look is no reason to stop.
        let style =
            ProgressStyle::with_template(shown).unwrap_or_else(|_| ProgressStyle::default_bar());
        // Serial consoles and most of a server's fonts have no blocks.
        bar.set_style(style.progress_chars("=> "));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    /// `what` is under way: `done` bytes of `total`, where that is known.
    pub(crate) fn show(&self, what: String, done: u64, total: Option<u64>) {
        self.bar.set_message(what);
        self.bar.set_length(total.unwrap_or(done));
        // Several threads call this, and not in the order of their counts.
        self.bar.set_position(done.max(self.bar.position()));
    }

    /// A verification is under way.
    pub(crate) fn show_verifying(&self, at: Verifying<'_>) {
        let what = format!("{}/{} files", at.files_done, at.files);
        self.show(what, at.done, Some(at.total));
    }

    /// Something else begins.
    pub(crate) fn restart(&self) {
        self.bar.reset();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
