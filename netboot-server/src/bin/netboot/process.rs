//! What this process may do: how many files it may open, and as whom it runs.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{User, geteuid, initgroups, setresgid, setresuid};

use netboot_server::{Chain, Failure};

/// What is kept of root's rights: to bind ports below 1024, and to bind to an interface and send
/// what is not yet an address' own.
const KEPT: [Capability; 2] = [Capability::CAP_NET_BIND_SERVICE, Capability::CAP_NET_RAW];

/// Allows this process as many open files as it may allow itself; a thousand transfers take two
/// thousand. Gives the limit that holds now.
pub(crate) fn raise_open_files() -> u64 {
    let limit = Resource::RLIMIT_NOFILE;
    let Ok((soft, hard)) = getrlimit(limit) else {
        return 0;
    };
    match setrlimit(limit, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// Where this is root, gives the state folder to the user and becomes that user for good. Threads
/// that were started before are not changed, so there must be none.
///
/// # Errors
///
/// Where there is no such user, or the system does not let go.
pub(crate) fn become_user(name: &str, state_dir: &Path) -> Result<(), Failure> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let tried = || format!("becoming the user {name}");
    let user = User::from_name(name)
        .map_err(|error| Failure::new(tried(), error, "see that the user database can be read"))?
        .ok_or_else(|| {
            Failure::new(
                tried(),
                "there is no such user",
                format!(
                    "make it with `useradd --system --no-create-home --shell /usr/sbin/nologin \
                     {name}`"
                ),
            )
        })?;
    fs::create_dir_all(state_dir)
        .and_then(|()| own(state_dir, &user))
        .map_err(|error| {
            Failure::new(
                format!("giving {} to {name}", state_dir.display()),
                error,
                "name a folder on a file system with owners, with --state-dir",
            )
        })?;
    let failed = |error: &dyn std::error::Error| {
        Failure::new(
            tried(),
            Chain(error),
            "start it with all of root's capabilities, or as that user",
        )
    };
    let kept: CapsHashSet = KEPT.into_iter().collect();
    for capability in caps::all().difference(&kept) {
        // One that this kernel does not know is not there to be dropped.
        let _ = caps::drop(None, CapSet::Bounding, *capability);
    }
    caps::securebits::set_keepcaps(true).map_err(|error| failed(&error))?;
    let group = user.gid;
    let groups = std::ffi::CString::new(name).map_err(|error| failed(&error))?;
    initgroups(&groups, group)
        .and_then(|()| setresgid(group, group, group))
        .and_then(|()| setresuid(user.uid, user.uid, user.uid))
        .map_err(|error| failed(&error))?;
    caps::set(None, CapSet::Effective, &kept)
        .and_then(|()| caps::set(None, CapSet::Permitted, &kept))
        .and_then(|()| caps::set(None, CapSet::Inheritable, &CapsHashSet::new()))
        .and_then(|()| caps::securebits::set_keepcaps(false))
        .map_err(|error| failed(&error))?;
    prctl::set_no_new_privs()
        // Else this process could not look into its own folder in /proc.
        .and_then(|()| prctl::set_dumpable(true))
        .map_err(|error| failed(&error))
}

/// Gives a tree to a user, its top last: a tree whose top is the user's is taken to be the user's,
/// which leaves links that the user put there alone.
fn own(folder: &Path, user: &User) -> std::io::Result<()> {
    if folder.symlink_metadata()?.uid() == user.uid.as_raw() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            own(&entry.path(), user)?;
        } else {
            lchown(
                entry.path(),
                Some(user.uid.as_raw()),
                Some(user.gid.as_raw()),
            )?;
        }
    }
    lchown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
}
