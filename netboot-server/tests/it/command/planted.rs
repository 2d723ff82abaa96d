//! What root's commands touch where the user that the state folder belongs to put links into it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Done, Site, run, write};
use serde_json::json;

/// Debian's `nobody`.
const SERVICE: u32 = 65534;

/// Each command that opens something in the state folder. Words are put in for `FOLDER`.
pub(super) const COMMANDS: [&str; 22] = [
    "image add img --kernel FOLDER/kernel --initrd FOLDER/initrd",
    "image generate img",
    "image list --generations",
    "image verify",
    "image sign img --cert FOLDER/cert --key FOLDER/key",
    "image rollback img",
    "image prune --keep 0",
    "image remove img",
    "leases",
    "leases remove 127.0.0.100",
    "leases import FOLDER/dnsmasq.leases",
    "leases salvage",
    "machine node-01 installed",
    "machine node-01 reinstall",
    "menu --update",
    "explain --mac 02:00:00:00:00:01",
    "check",
    "doctor",
    "status",
    "boots",
    "why node-01",
    "reload",
];

/// Those that open nothing there, or in a folder that they make.
const OTHERS: [&str; 6] = ["serve", "probe", "demo", "completions", "man", "events"];

/// Where a link is put.
const PLACES: [&str; 24] = [
    "boots",
    "configs",
    "configs/boot.ipxe",
    "control",
    "control.new",
    "http",
    "http/images",
    "http/images/.store",
    "http/images/.store/blobs",
    "http/images/.store/images",
    "http/images/.store/images/img",
    "http/images/.store/lock",
    "http/images/.store/revision",
    "http/images/.store/staging",
    "http/images/img",
    "installs.json",
    "installs.lock",
    "leases",
    "leases.new",
    "nix-roots",
    "nix-roots/img",
    "nix-roots/img/lock",
    "secret",
    "tftp",
];

/// What a link leads to.
#[derive(Debug, Clone, Copy)]
enum Planted {
    File,
    Folder,
    NothingYet,
}

/// Path, to mode, owner and content.
type Tree = BTreeMap<PathBuf, (u32, u32, Vec<u8>)>;

fn tree(folder: &Path) -> Tree {
    let mut found = Tree::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let data = fs::symlink_metadata(&path).expect("metadata");
            let content = match data.is_file() {
                true => fs::read(&path).expect("a file"),
                false => Vec::new(),
            };
            if data.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, (data.mode(), data.uid(), content));
        }
    }
    found
}

fn give(path: &Path) {
    lchown(path, Some(SERVICE), Some(SERVICE)).expect("root's right");
    if fs::symlink_metadata(path).is_ok_and(|data| data.is_dir()) {
        for entry in fs::read_dir(path).expect("a folder") {
            give(&entry.expect("an entry").path());
        }
    }
}

pub(super) fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let done = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(done.is_ok_and(|status| status.success()), "cp -a");
}

/// A site whose state folder is the service's, with an image, a machine that installs itself, and a
/// folder of root's beside it.
pub(super) fn site() -> Site {
    let site = Site::new(&json!([{
        "name": "node-01", "mac": "02:00:00:00:00:01", "ip": "127.0.0.50", "config": "img",
        "install": { "image": "img" },
    }]));
    let folder = site.folder.path();
    fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("one's own folder");
    for mark in ["one", "two"] {
        site.add("img", mark);
    }
    fs::rename(folder.join("img.kernel"), folder.join("kernel")).expect("a file");
    fs::rename(folder.join("img.initrd"), folder.join("initrd")).expect("a file");
    write(
        folder,
        "dnsmasq.leases",
        b"4102444800 02:00:00:00:00:09 127.0.0.150 * *\n",
    );
    for name in ["cert", "key"] {
        write(folder, name, b"neither");
    }
    for made in ["nix-roots/img/1", "configs", "tftp"] {
        fs::create_dir_all(site.state().join(made)).expect("a folder");
    }
    write(&site.state(), "nix-roots/img/1/generation", b"1\n");
    assert_eq!(site.run(["machine", "node-01", "installed"]).code, Some(0));
    fs::create_dir_all(folder.join("roots/images")).expect("a folder");
    for name in ["file", "lock", "generation", "manifest.json"] {
        write(&folder.join("roots"), name, b"root's");
    }
    give(&site.state());
    site
}

fn as_root(site: &Site, command: &str) -> Done {
    let command = command.replace("FOLDER", site.folder.path().to_str().expect("text"));
    site.run(command.split(' '))
}

#[test]
#[ignore = "needs root, to be it in another user's folder"]
fn no_link_in_the_state_folder_leads_what_root_changes_elsewhere() {
    let changing = |command: &&str| {
        let writes = ["add", "prune", "remove", "import", "installed", "--update"];
        command.split(' ').any(|word| writes.contains(&word))
    };
    let changing: Vec<_> = COMMANDS.into_iter().filter(changing).collect();
    assert_eq!(changing.len(), 7, "{changing:?}");
    plant_everywhere(&changing);
}

#[test]
#[ignore = "needs root, to be it in another user's folder"]
fn no_link_leads_a_long_row_of_roots_commands_elsewhere() {
    plant_everywhere(&COMMANDS);
}

/// Runs the commands with a link in one place after the other.
fn plant_everywhere(commands: &[&str]) {
    let site = site();
    let roots = site.folder.path().join("roots");
    let template = site.folder.path().join("template");
    copy(&site.state(), &template);
    let before = tree(&roots);
    for place in PLACES {
        for planted in [Planted::File, Planted::Folder, Planted::NothingYet] {
            copy(&template, &site.state());
            let path = site.state().join(place);
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
            let target = match planted {
                Planted::File => roots.join("file"),
                Planted::Folder => roots.clone(),
                Planted::NothingYet => roots.join("new"),
            };
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).expect("a folder");
            }
            symlink(target, &path).expect("a link");
            give(&site.state());
            for command in commands {
                let done = as_root(&site, command);
                assert_eq!(
                    tree(&roots),
                    before,
                    "{command}, where {place} is a link to {planted:?}: {}",
                    done.err
                );
            }
        }
    }
}

#[test]
fn every_command_is_among_them() {
    let listed = |help: &Done| -> Vec<String> {
        let commands = help.out.split("Commands:\n").nth(1).expect("a list");
        let lines = commands.lines().take_while(|line| line.starts_with("  "));
        // What is said of a command may take several lines, further in.
        let begun = lines.filter(|line| !line.starts_with("   "));
        let names = begun.filter_map(|line| line.split_whitespace().next());
        names
            .filter(|name| *name != "help")
            .map(str::to_owned)
            .collect()
    };
    let known = |name: &str| {
        let is_it = |command: &&str| command.split(' ').any(|word| word == name);
        COMMANDS.iter().any(is_it) || OTHERS.contains(&name)
    };
    for help in [&["--help"][..], &["image", "--help"], &["leases", "--help"]] {
        let names = listed(&run(help));
        assert!(names.len() > 1, "{help:?}: {names:?}");
        for name in names {
            assert!(known(&name), "{name}: which of the lists is it in?");
        }
    }
}

#[test]
#[ignore = "needs root, to be it in another user's folder"]
fn what_root_adds_to_the_services_folder_is_the_services() {
    let site = site();
    for command in [
        COMMANDS[0],
        "menu --update",
        "leases import FOLDER/dnsmasq.leases",
    ] {
        let done = as_root(&site, command);
        assert_eq!(done.code, Some(0), "{command}: {}", done.err);
    }
    for (path, (_, owner, _)) in tree(&site.state()) {
        assert_eq!(owner, SERVICE, "{}", path.display());
    }
}

#[test]
#[ignore = "needs root, to be it in another user's folder"]
fn the_menu_that_root_updates_is_the_services_and_for_all_to_read() {
    let site = site();
    let link = site.folder.path().join("netboot-update-menu");
    symlink(env!("CARGO_BIN_EXE_netboot"), &link).expect("a link");
    let menu = site.state().join("configs/boot.ipxe");
    // As root's editor left it.
    fs::write(&menu, "old").expect("a file");
    fs::set_permissions(&menu, Permissions::from_mode(0o600)).expect("root's right");
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$@\"", "sh"]);
    command.arg(link).args(site.arguments([]));
    let done: Done = command.output().expect("a shell").into();
    assert_eq!(done.code, Some(0), "{}", done.err);
    let found = fs::metadata(&menu).expect("the menu");
    assert_eq!((found.uid(), found.mode() & 0o777), (SERVICE, 0o644));
    assert!(fs::read_to_string(&menu).is_ok_and(|menu| menu.starts_with("#!ipxe\n")));
}

#[test]
#[ignore = "needs root, whose files only it may read"]
fn root_adds_what_only_root_may_read() {
    let site = site();
    for name in ["kernel", "initrd", "dnsmasq.leases"] {
        let only = Permissions::from_mode(0o600);
        fs::set_permissions(site.folder.path().join(name), only).expect("one's own file");
    }
    for command in [COMMANDS[0], "leases import FOLDER/dnsmasq.leases"] {
        let done = as_root(&site, command);
        assert_eq!(done.code, Some(0), "{command}: {}", done.err);
    }
}

#[test]
#[ignore = "needs root, whose files anybody could write"]
fn what_root_makes_is_written_by_its_owner_alone_whatever_the_mask() {
    let site = Site::new(&json!([{
        "name": "node-01", "mac": "02:00:00:00:00:01", "install": { "image": "img" },
    }]));
    let folder = site.folder.path();
    write(
        folder,
        "dnsmasq.leases",
        b"4102444800 02:00:00:00:00:09 127.0.0.150 * *\n",
    );
    site.add("img", "one");
    fs::remove_dir_all(site.state()).expect("a folder");
    let unmasked = |words: &str| {
        let words = words.replace("FOLDER", folder.to_str().expect("text"));
        let mut command = Command::new("sh");
        command.args(["-c", "umask 0; exec \"$@\"", "sh"]);
        command.arg(env!("CARGO_BIN_EXE_netboot"));
        command.args(site.arguments(words.split(' ')));
        let done: Done = command.output().expect("a shell").into();
        assert_eq!(done.code, Some(0), "{words}: {}", done.err);
    };
    unmasked("image add img --kernel FOLDER/img.kernel --initrd FOLDER/img.initrd");
    unmasked("leases import FOLDER/dnsmasq.leases");
    unmasked("machine node-01 installed");
    unmasked("menu --update");
    for (path, (mode, _, _)) in tree(folder) {
        let is_link = path.is_symlink();
        let is_made = path.starts_with(site.state());
        assert!(
            !is_made || is_link || mode & 0o022 == 0,
            "{} is {mode:o}",
            path.display()
        );
    }
    let state = fs::metadata(site.state()).expect("a folder");
    assert_eq!(state.mode() & 0o777, 0o755);
}

#[test]
#[ignore = "needs root, to give folders away"]
fn a_folder_that_is_given_to_the_service_is_given_without_what_links_lead_to() {
    let site = site();
    let roots = site.folder.path().join("roots");
    let before = tree(&roots);
    // Of a user who had the folder before.
    let earlier = 65533;
    for name in ["given", "given/below"] {
        let path = site.state().join(name);
        fs::create_dir(&path).expect("a folder");
        symlink(&roots, path.join("link")).expect("a link");
        symlink(roots.join("file"), path.join("other")).expect("a link");
    }
    lchown(site.state(), Some(earlier), Some(earlier)).expect("root's right");
    site.configure(&json!([]), json!({ "user": "nobody" }));
    let mut serving = super::Running::serve(&site);
    serving.signal(super::Signal::SIGTERM);
    serving.end();
    assert_eq!(tree(&roots), before);
    let link = site.state().join("given/below/link");
    assert_eq!(fs::symlink_metadata(link).expect("a link").uid(), SERVICE);
}
