//! `netboot man` and `netboot completions`: what `man` and the shell know of this command.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Arguments, out};
use netboot_server::Failure;

/// Prints the manual page, or writes one for each command into a folder.
pub(super) fn man(dir: Option<&Path>) -> Result<ExitCode, Failure> {
    let command = Arguments::command();
    if let Some(dir) = dir {
        std::fs::create_dir_all(dir)
            .and_then(|()| clap_mangen::generate_to(command, dir))
            .map_err(|error| {
                Failure::new(
                    format!("writing manual pages to {}", dir.display()),
                    error,
                    "name a folder that this user may write to",
                )
            })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|error| Failure::new("writing the manual page", error, "use --dir"))?;
    out(String::from_utf8_lossy(&page))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints what a shell completes by.
pub(super) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "netboot", &mut script);
    out(String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
