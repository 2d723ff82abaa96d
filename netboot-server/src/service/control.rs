//! The control socket: where the `netboot` command speaks to the server that runs.
//!
//! Whoever may open it may do everything that the API does, so it is its owner's and its group's.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Its owner and group may connect.
const MODE: u32 = 0o660;

/// Where the control socket of a state folder is.
pub fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("control")
}

/// Listens at a path, in place of a socket that a server left there. Needs a runtime. The lease
/// database is held meanwhile, so no other server runs on the folder.
pub(super) fn bind(path: &Path) -> io::Result<UnixListener> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&new)?;
    // Nobody finds it before it has its mode.
    fs::set_permissions(&new, fs::Permissions::from_mode(MODE))?;
    fs::rename(&new, path)?;
    Ok(listener)
}
