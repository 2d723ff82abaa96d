//! The state folder: who may write there, how much fits, what is in it, and whether the clock
//! agrees.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use indicatif::HumanBytes;
use netboot_image::Store;
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, Uid, User, access, geteuid};

use super::Findings;
use crate::bar::Bar;
use crate::time::local;
use netboot_server::Chain;
use netboot_server::config::Config;
use netboot_server::config::platform::Platform;
use netboot_server::world::World;

/// Bytes below which an image of usual size does not fit.
const LITTLE: u64 = 1 << 30;
/// Bytes below which leases may soon not be written any more.
const HARDLY_ANY: u64 = 64 << 20;

pub(super) fn look(world: &World, quick: bool, findings: &mut Findings) {
    let config = world.config();
    let folder = &config.state_dir;
    let about = format!("state folder {}", folder.display());
    if !folder.exists() {
        return findings.warning(
            about,
            "is not there; a server makes it",
            "`netboot image add` puts the first image there",
        );
    }
    look_at_owner(config, &about, findings);
    look_at_space(folder, &about, findings);
    look_at_clock(folder, findings);
    look_at_images(world, quick, findings);
    look_at_programs(world, findings);
}

/// The user that a server would be.
fn server_user(config: &Config) -> Uid {
    let named = config.user.as_deref().filter(|_| geteuid().is_root());
    let named = named.and_then(|name| User::from_name(name).ok().flatten());
    named.map_or_else(geteuid, |user| user.uid)
}

fn look_at_owner(config: &Config, about: &str, findings: &mut Findings) {
    let folder = &config.state_dir;
    let user = server_user(config);
    let owner = |path: &Path| {
        path.symlink_metadata()
            .map(|data| Uid::from_raw(data.uid()))
    };
    let name = |uid: Uid| {
        let user = User::from_uid(uid).ok().flatten();
        user.map_or_else(|| uid.to_string(), |user| user.name)
    };
    let leases = config.leases_file();
    match owner(&leases) {
        Ok(owned) if owned != owner(folder).unwrap_or(owned) => findings.fault(
            about,
            format!(
                "{} is {}'s, and the folder another's",
                leases.display(),
                name(owned)
            ),
            format!(
                "`chown --reference={} {}`",
                folder.display(),
                leases.display()
            ),
        ),
        _ if user == geteuid() && access(folder, AccessFlags::W_OK).is_err() => findings.fault(
            about,
            format!("{} may not write there", name(user)),
            "run it as the user that owns the folder, or as root",
        ),
        _ => findings.ok(
            about,
            format!(
                "is {}'s",
                owner(folder).map_or_else(|_| "nobody".into(), name)
            ),
        ),
    }
}

fn look_at_space(folder: &Path, about: &str, findings: &mut Findings) {
    let Ok(space) = statvfs(folder) else {
        return;
    };
    let free = space
        .blocks_available()
        .saturating_mul(space.fragment_size());
    let shown = format!("{} are free", HumanBytes(free));
    let cure = "remove images (`netboot image remove`) or old generations (`netboot image prune`)";
    match free {
        free if free < HARDLY_ANY => findings.fault(about, shown, cure),
        free if free < LITTLE => findings.warning(about, shown, cure),
        _ => findings.ok(about, shown),
    }
}

/// A clock that is behind what was written was set back, or never set.
fn look_at_clock(folder: &Path, findings: &mut Findings) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let written = entries.filter_map(|entry| entry.metadata().ok()?.modified().ok());
    #[expect(
        clippy::disallowed_methods,
        reason = "it is the host's clock that is looked at"
    )]
    let now = SystemTime::now();
    let shown = jiff::Timestamp::try_from(now)
        .map(local)
        .unwrap_or_default();
    match written.max() {
        Some(last) if last > now => findings.fault(
            "clock",
            format!("says {shown}, which is before the state folder was last written"),
            "set the clock; `timedatectl` shows whether it is kept right",
        ),
        _ => findings.ok("clock", format!("says {shown}")),
    }
}

/// That there are images, and that each file which machines get now has its digest.
fn look_at_images(world: &World, quick: bool, findings: &mut Findings) {
    let names: Vec<_> = world.images().map(|it| it.name().to_string()).collect();
    if names.is_empty() {
        return findings.warning(
            "images",
            "there is none",
            "`netboot image add NAME --kernel FILE --initrd FILE`",
        );
    }
    let names = names.join(", ");
    if quick {
        return findings.ok("images", names);
    }
    let bar = Bar::new();
    let verified = Store::open(world.config().images_dir()).and_then(|store| {
        store.verify_current_with(&|at| {
            bar.show_verifying(at);
            ControlFlow::Continue(())
        })
    });
    drop(bar);
    let reports = match verified {
        Ok(reports) => reports,
        Err(error) => {
            let cure = "`netboot image verify` says more";
            return findings.fault("images", Chain(&error).to_string(), cure);
        }
    };
    let mut are_whole = true;
    for report in reports {
        // What cannot be used at all is among the configuration's warnings.
        let Some(generation) = report.generation else {
            continue;
        };
        are_whole &= report.is_whole();
        for damage in &report.damage {
            let name = &report.name;
            findings.fault(
                format!("image {name} {generation}"),
                Chain(damage).to_string(),
                format!("`netboot image rollback {name}`, or add it again from a good copy"),
            );
        }
    }
    if are_whole {
        findings.ok("images", format!("{names}: each file has its digest"));
    }
}

fn look_at_programs(world: &World, findings: &mut Findings) {
    let programs = world.programs();
    for platform in Platform::ALL {
        let name = programs.for_platform(platform);
        if let Some(path) = name.and_then(|name| programs.path(name)) {
            findings.ok("boot program", format!("{} for {platform}", path.display()));
        }
    }
}
