//! `netboot check`.

use std::process::ExitCode;
use std::sync::Arc;

use netboot_image::Store;

use super::Where;
use crate::config::{Config, Severity};
use crate::programs::Programs;
use crate::world::World;

pub(super) fn run(at: &Where, print: bool) -> ExitCode {
    let (config, mut problems) = at.load();
    if let Some(config) = &config {
        // Only looked at: `check` makes no folder and may run as another user.
        let images = Store::open(config.images_dir())
            .and_then(|store| store.list())
            .map(|listing| listing.images)
            .unwrap_or_default();
        let programs = Programs::scan(&config.programs_dir());
        World::new(Arc::new(config.clone()), images, programs).warn(&mut problems);
    }
    eprint!("{problems}");
    let errors = problems.count(Severity::Error);
    let Some(config) = config else {
        eprintln!("{errors} to mend; nothing would start");
        return ExitCode::FAILURE;
    };
    if print {
        print!("{}", normal_form(&config));
    } else {
        println!(
            "the configuration holds: {} network(s), {} target(s), {} warning(s)",
            config.networks.len(),
            config.targets.len(),
            problems.count(Severity::Warning)
        );
    }
    ExitCode::SUCCESS
}

fn normal_form(config: &Config) -> String {
    config.to_toml().unwrap_or_else(|| {
        eprintln!(
            "note: this is JSON, since a target's `state` holds what TOML cannot write; \
             keep it in a file whose name ends in .json"
        );
        format!("{:#}\n", config.to_json())
    })
}
