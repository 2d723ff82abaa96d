//! What to do where this user may not: who may, by the modes of what is in the way.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{AccessFlags, Gid, Group, Uid, User, access, geteuid};

use crate::failure::Failure;

/// Sees that this user may read a file or folder, so that what is denied is not taken for absent.
/// What is not there is no error.
///
/// # Errors
///
/// Where this user may not, with who may.
pub fn may_read(path: &Path) -> Result<(), Failure> {
    match obstacle(path) {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::new(
            format!("reading {}", path.display()),
            io::Error::from(ErrorKind::PermissionDenied),
            who_may(path),
        )),
    }
}

/// The cure of an error on a path: who may, where it is that this user may not; `otherwise` of all
/// else.
pub fn cure(path: &Path, error: &io::Error, otherwise: &str) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => who_may(path),
        _ => otherwise.to_owned(),
    }
}

/// As whom to do what this user may not do with a path.
pub fn who_may(path: &Path) -> String {
    if geteuid().is_root() {
        // Root opens files as the owner of the state folder, who may not.
        return format!(
            "give {} to the user that the state folder belongs to, with `chown`",
            path.display()
        );
    }
    let (what, right) = match obstacle(path) {
        Err(obstacle) => obstacle,
        // It was to be written.
        Ok(Some(last)) => (last, 0o020),
        Ok(None) => return "run it as root".into(),
    };
    let Owned { user, group, mode } = what;
    if mode & right == right && group.as_raw() != 0 {
        let known = Group::from_gid(group).ok().flatten();
        let name = known.map_or_else(|| group.to_string(), |group| group.name);
        format!("run it as root or as a member of the group {name}")
    } else if user.is_root() {
        "run it as root".into()
    } else {
        let known = User::from_uid(user).ok().flatten();
        let name = known.map_or_else(|| user.to_string(), |user| user.name);
        format!("run it as root or as the user {name}")
    }
}

/// Whose something is, and who may do what with it.
struct Owned {
    user: Uid,
    group: Gid,
    mode: u32,
}

/// The last on the way to a path that is there and this user may read; else the first that stops
/// this user, and the right that a group needs there.
fn obstacle(path: &Path) -> Result<Option<Owned>, (Owned, u32)> {
    const PASS: (AccessFlags, u32) = (AccessFlags::X_OK, 0o010);
    const LIST: (AccessFlags, u32) = (AccessFlags::R_OK.union(AccessFlags::X_OK), 0o050);
    const READ: (AccessFlags, u32) = (AccessFlags::R_OK, 0o040);
    let mut way: Vec<_> = path.ancestors().collect();
    way.reverse();
    let mut last = None;
    for step in way {
        let is_here = step.as_os_str().is_empty();
        let step = if is_here { Path::new(".") } else { step };
        let Ok(found) = fs::metadata(step) else {
            break;
        };
        let owned = Owned {
            user: Uid::from_raw(found.uid()),
            group: Gid::from_raw(found.gid()),
            mode: found.mode(),
        };
        let (wanted, right) = match (step == path, found.is_dir()) {
            (false, _) => PASS,
            (true, true) => LIST,
            (true, false) => READ,
        };
        if access(step, wanted).is_err() {
            return Err((owned, right));
        }
        last = Some(owned);
    }
    Ok(last)
}
