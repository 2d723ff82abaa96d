//! What this process may do: how many files it may open, and as whom it runs.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{
    Gid, Uid, User, geteuid, initgroups, setfsgid, setfsuid, setgroups, setresgid, setresuid,
};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, chownat, fchown, open, openat, statat};

use netboot_server::config::Config;
use netboot_server::{Chain, Failure, state_dir};

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
pub(crate) fn become_user(name: &str, folder: &Path) -> Result<(), Failure> {
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
                format!("make it with `{}`", Config::command_for_user(name)),
            )
        })?;
    state_dir::make_dir(folder)
        .and_then(|()| own(folder, &user))
        .map_err(|error| {
            Failure::new(
                format!("giving {} to {name}", folder.display()),
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

/// What a command may read beside what the owner of the state folder may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Nothing.
    NothingElse,
    /// What its caller may, since the caller names files: a kernel, a key, another server's leases.
    WhatIsNamed,
}

/// Sees that this user may read the state folder. Where this is root and the folder is another
/// user's, every file is opened with that user's rights from now on, by this thread and those that
/// it starts. What the user may not do, a link that the user put into the folder does not make root
/// do. Programs that are started run as root.
///
/// # Errors
///
/// Where this user may not read it, or the system does not let go.
pub(crate) fn enter(folder: &Path, reads: Reads) -> Result<(), Failure> {
    state_dir::may_read(folder)?;

    // The folder may not be there yet: whoever owns the one that it is made in owns it, too.
    let mut nearest = folder.ancestors();
    let owner = nearest.find_map(|above| match above.as_os_str().is_empty() {
        true => fs::metadata(".").ok(),
        false => fs::metadata(above).ok(),
    });
    let Some(owner) = owner.filter(|owner| geteuid().is_root() && owner.uid() != 0) else {
        return Ok(());
    };
    let (user, group) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
    let failed = |error: &dyn std::error::Error| {
        Failure::new(
            format!(
                "opening files in {} as its owner, user {user}",
                folder.display()
            ),
            Chain(error),
            "run it with all of root's capabilities, or as that user",
        )
    };
    setgroups(&[group]).map_err(|error| failed(&error))?;
    // Neither says how it went: each gives what was before.
    setfsgid(group);
    setfsuid(user);
    if (setfsuid(user), setfsgid(group)) != (user, group) {
        return Err(failed(&io::Error::from(io::ErrorKind::PermissionDenied)));
    }
    if reads == Reads::WhatIsNamed {
        // Where root has not got it itself, the file that it may not read says so.
        let _ = caps::raise(None, CapSet::Effective, Capability::CAP_DAC_READ_SEARCH);
    }
    Ok(())
}

/// Gives a tree to a user, its top last: a tree whose top is the user's is taken to be the user's.
/// Whoever had the tree before may change it meanwhile, so that each folder is opened once, not
/// through a link, and all else is done from there.
fn own(folder: &Path, user: &User) -> io::Result<()> {
    let top = open(folder, FOLDER.difference(OFlags::NOFOLLOW), Mode::empty())?;
    own_below(top, user)
}

const FOLDER: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

fn own_below(folder: impl AsFd, user: &User) -> io::Result<()> {
    let (uid, gid) = (
        rustix::fs::Uid::from_raw(user.uid.as_raw()),
        rustix::fs::Gid::from_raw(user.gid.as_raw()),
    );
    if rustix::fs::fstat(&folder)?.st_uid == uid.as_raw() {
        return Ok(());
    }
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let found = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
            own_below(openat(&folder, name, FOLDER, Mode::empty())?, user)?;
        } else {
            chownat(
                &folder,
                name,
                Some(uid),
                Some(gid),
                AtFlags::SYMLINK_NOFOLLOW,
            )?;
        }
    }
    Ok(fchown(&folder, Some(uid), Some(gid))?)
}
