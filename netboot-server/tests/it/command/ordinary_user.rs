//! What an ordinary user is told, who may not look into the state folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::planted::{COMMANDS, copy, site};
use crate::support::{Done, Site};

/// Debian's `nobody` and `nogroup`, who are in no group that a file is of.
const NOBODY: u32 = 65534;

/// Debian's `daemon`, a user and a group, in the place of the service's.
const DAEMON: u32 = 1;

/// A site whose state folder is the service's, with the modes that the systemd unit gives it, and
/// the command where anybody may run it.
fn guarded() -> (Site, PathBuf) {
    let site = site();
    chown(site.state(), Some(DAEMON), Some(DAEMON)).expect("root's right");
    fs::set_permissions(site.state(), Permissions::from_mode(0o750)).expect("root's right");
    let command = site.folder.path().join("netboot");
    // By another process: what other tests start meanwhile would hold it open to be written.
    copy(Path::new(env!("CARGO_BIN_EXE_netboot")), &command);
    (site, command)
}

fn run_as(command: &Path, site: &Site, words: &str, group: u32) -> Done {
    let words = words.replace("FOLDER", site.folder.path().to_str().expect("text"));
    let mut command = Command::new(command);
    command
        .args(site.arguments(words.split(' ')))
        .uid(NOBODY)
        .gid(group);
    command.output().expect("the command").into()
}

#[test]
#[ignore = "needs root, to be another user"]
fn who_may_not_read_the_state_is_told_who_may_and_never_that_it_is_absent() {
    let (site, command) = guarded();
    for words in COMMANDS {
        let done = run_as(&command, &site, words, NOBODY);
        let said = format!("{}{}", done.out, done.err);
        assert_eq!(done.code, Some(1), "{words}: {said}");
        let cure = "run it as root or as a member of the group daemon";
        assert!(said.contains(cure), "{words}: {said}");
        for untrue in [
            "not in the store",
            "restore",
            "no server runs",
            "not there",
            "holds no",
        ] {
            assert!(!said.contains(untrue), "{words}: {said}");
        }
    }
}

#[test]
#[ignore = "needs root, to be another user"]
fn a_member_of_the_states_group_sees_what_root_sees() {
    let (site, command) = guarded();
    for words in [
        "image list",
        "explain --mac 02:00:00:00:00:01",
        "menu",
        "check",
    ] {
        let done = run_as(&command, &site, words, DAEMON);
        assert_eq!(done.code, Some(0), "{words}: {}", done.err);
        let roots = site.run(words.split(' '));
        assert_eq!((done.out, done.err), (roots.out, roots.err), "{words}");
    }
}

#[test]
#[ignore = "needs root, to be another user"]
fn what_only_the_services_user_may_read_is_told_so() {
    let (site, command) = guarded();
    for (path, words) in [
        (
            site.state().join("http/images/img/manifest.json"),
            "explain --mac 02:00:00:00:00:01",
        ),
        (site.state().join("installs.json"), "menu"),
        (site.state().join("tftp"), "doctor"),
    ] {
        let path = path.canonicalize().expect("it is there");
        chown(&path, Some(DAEMON), Some(DAEMON)).expect("root's right");
        let before = path.metadata().expect("metadata").permissions();
        fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("root's right");
        let done = run_as(&command, &site, words, DAEMON);
        fs::set_permissions(&path, before).expect("root's right");
        let said = format!("{}{}", done.out, done.err);
        assert_eq!(done.code, Some(1), "{words}: {said}");
        assert!(
            said.contains("run it as root or as the user daemon"),
            "{words}: {said}"
        );
        assert!(!said.contains("not in the store"), "{words}: {said}");
    }
}
