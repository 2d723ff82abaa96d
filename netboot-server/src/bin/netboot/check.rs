//! `netboot check`.

use std::process::ExitCode;

use super::{Where, out, say};
use netboot_server::Failure;
use netboot_server::config::{Config, Host, Severity};
use netboot_server::world::World;

pub(super) fn run(at: &Where, print: bool, for_another_host: bool) -> Result<ExitCode, Failure> {
    let mut looked_at = Ok(());
    let (config, problems) = if for_another_host {
        at.load_for(&Host::default())
    } else {
        let (config, mut problems) = at.load();
        if let Some(config) = &config {
            looked_at = World::look(config.clone()).map(|world| world.warn(&mut problems));
        }
        (config, problems)
    };
    say(&problems);
    let errors = problems.count(Severity::Error);
    let Some(config) = config.filter(|_| errors == 0) else {
        say(format_args!("{errors} to mend; nothing would start\n"));
        return Ok(ExitCode::FAILURE);
    };
    if print {
        out(normal_form(&config))?;
    } else {
        out(format_args!(
            "the configuration holds: {} network(s), {} target(s), {} warning(s)\n",
            config.networks.len(),
            config.targets.len(),
            problems.count(Severity::Warning)
        ))?;
    }
    looked_at.map(|()| ExitCode::SUCCESS)
}

fn normal_form(config: &Config) -> String {
    config.to_toml().unwrap_or_else(|| {
        say(
            "note: this is JSON, since a target's `state` holds what TOML cannot write; \
             keep it in a file whose name ends in .json\n",
        );
        format!("{:#}\n", config.to_json())
    })
}
