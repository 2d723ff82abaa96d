//! The menu as last rendered, in a file for people to look at.

use std::net::IpAddr;
use std::path::Path;

use crate::failure::Failure;
use crate::policy::{self, Origin};
use crate::script::{self, Asker, Trust};
use crate::state_dir;
use crate::world::{Machine, World};

/// Writes the menu of a world.
///
/// # Errors
///
/// Where the menu or the file cannot be written. Nothing depends on it.
pub fn write(world: &World) -> Result<(), Failure> {
    let config = world.config();
    let Some(network) = config.networks.first() else {
        return Ok(());
    };
    let path = config.menu_file();
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(
            format!("writing {}", path.display()),
            error,
            "machines get the menu all the same; see that this user may write there",
        )
    };
    let machine = Machine::default();
    let asker = Asker {
        mac: None,
        address: IpAddr::V4(network.server),
        origin: Origin {
            server: IpAddr::V4(network.server),
            http_port: config.ports.http.get(),
            secure: false,
        },
        trust: Trust::PERSON,
    };
    let script = script::write(world, &policy::decide(world, &machine), &asker)
        .map_err(|error| failed(&error))?;
    replace(&path, script.as_bytes()).map_err(|error| failed(&error))
}

fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    state_dir::make_dir(path.parent().unwrap_or(path))?;
    state_dir::replace(path, content, 0o644)
}
