//! Machines that install themselves once.

use super::*;

#[test]
fn a_machine_installs_itself_once_and_again_only_when_the_operator_says_so() {
    let site = installing();
    let mut serving = Running::serve(&site);
    assert_eq!(lease(&site, 1).address, NODE);
    let first = script(&site, NODE, "/boot.ipxe?mac=02-00-00-00-00-01");
    assert!(installs(&first), "{first}");
    let reported = post(&site, NODE, &report(&first));
    assert_eq!(reported.status, 200, "{}", reported.text());
    serving.line("install 1: node-01 is installed, as it reports itself");
    let local = script(&site, NODE, "/boot.ipxe");
    assert!(!installs(&local), "{local}");
    // The right way for each firmware: the boot order under UEFI, the first drive under BIOS.
    assert!(
        local.contains("iseq ${platform} efi && exit 1 ||"),
        "{local}"
    );
    assert!(
        local.contains("sanboot --no-describe --drive 0x80"),
        "{local}"
    );
    let again = post(&site, NODE, &report(&first));
    assert_eq!(again.status, 409, "{}", again.text());
    serving.line("/machines/node-01/installed: 409, install 1 was reported already");

    drop(serving);
    let mut serving = Running::serve(&site);
    assert!(
        !installs(&script(&site, NODE, "/boot.ipxe")),
        "after a restart"
    );
    let said = machine(&site, "node-01", "reinstall");
    assert_eq!(
        said,
        "node-01 is to be installed at its next boot (install 2)\n"
    );
    let second = script(&site, NODE, "/boot.ipxe");
    assert!(installs(&second), "{second}");
    let old = post(&site, NODE, &report(&first));
    assert_eq!(
        old.status,
        409,
        "the token of the install before: {}",
        old.text()
    );
    assert!(installs(&script(&site, NODE, "/boot.ipxe")));
    assert_eq!(post(&site, NODE, &report(&second)).status, 200);
    assert!(!installs(&script(&site, NODE, "/boot.ipxe")));

    assert_eq!(
        machine(&site, "node-02", "installed"),
        "node-02 is installed (install 1)\n"
    );
    let twice = machine(&site, "node-02", "installed");
    assert_eq!(twice, "node-02 is installed already (install 1)\n");
    assert!(!installs(&script(
        &site,
        STRANGER,
        "/boot.ipxe?mac=02-00-00-00-00-02"
    )));
    serving.signal(nix::sys::signal::Signal::SIGTERM);
    serving.end();
    let (_, token) = report(&first)
        .split_once("token=")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("a token");
    assert!(
        serving.seen.iter().all(|line| !line.contains(&token)),
        "a token is in the log"
    );
}

#[test]
fn nobody_else_can_have_or_make_up_a_machines_report() {
    let site = installing();
    let mut serving = Running::serve(&site);
    assert_eq!(lease(&site, 1).address, NODE);
    let other = lease(&site, 2).address;
    for (from, path) in [
        (STRANGER, "/boot.ipxe?mac=02-00-00-00-00-01"),
        (other, "/boot.ipxe?mac=02-00-00-00-00-01"),
        (other, "/autoexec.ipxe?mac=02-00-00-00-00-01"),
        (other, "/grub.cfg?mac=02-00-00-00-00-01"),
    ] {
        let script = script(&site, from, path);
        assert!(!script.contains("token="), "{path} from {from}: {script}");
        assert!(!installs(&script), "{path} from {from}: {script}");
    }
    let mine = report(&script(&site, NODE, "/boot.ipxe"));
    let others = report(&script(&site, other, "/boot.ipxe"));
    assert!(mine.starts_with("/machines/node-01/installed?number=1&token="));
    let token = |path: &str| path.rsplit_once('=').expect("a token").1.to_owned();
    let (my_token, other_token) = (token(&mine), token(&others));
    for (path, status) in [
        // Another machine's, another number's, one that was changed, cut, or left out.
        (
            format!("/machines/node-01/installed?number=1&token={other_token}"),
            403,
        ),
        (
            format!("/machines/node-02/installed?number=1&token={my_token}"),
            403,
        ),
        (
            format!("/machines/node-01/installed?number=2&token={my_token}"),
            403,
        ),
        (
            format!("/machines/nobody/installed?number=1&token={my_token}"),
            403,
        ),
        (
            format!(
                "/machines/node-01/installed?number=1&token={}",
                &my_token[1..]
            ),
            403,
        ),
        ("/machines/node-01/installed?number=1&token=".into(), 403),
        ("/machines/node-01/installed?number=1".into(), 400),
        (format!("/machines/node-01/installed?token={my_token}"), 400),
        (
            format!("/machines/node-01/reinstall?number=1&token={my_token}"),
            405,
        ),
        ("/boot.ipxe".into(), 405),
    ] {
        let answer = post(&site, NODE, &path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    serving.said("/machines/node-01/installed: 403, that is no token of this machine");
    let read = get(&site, NODE, &mine);
    assert_eq!((read.status, read.header("allow")), (405, "POST"));
    assert!(
        installs(&script(&site, NODE, "/boot.ipxe")),
        "nothing was believed"
    );
    assert_eq!(post(&site, NODE, &mine).status, 200);
}

#[test]
fn where_install_states_cannot_be_read_nothing_is_installed() {
    let site = installing();
    machine(&site, "node-01", "installed");
    std::fs::write(site.state().join("installs.json"), "{").expect("a file");
    let mut serving = Running::serve(&site);
    serving.said("reading the install states");
    let script = script(&site, STRANGER, "/boot.ipxe?mac=02-00-00-00-00-02");
    assert!(!installs(&script) && script.contains("sanboot"), "{script}");
    let done = site.run(["machine", "node-02", "reinstall"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("restore the file"), "{}", done.err);
}

#[test]
fn after_an_install_a_machine_may_boot_its_config() {
    let install = json!({ "image": "installer", "then": "config" });
    let site = site(
        json!([{ "name": "node-01", "mac": mac(1), "group": "rack", "config": "debian" }]),
        json!({ "groups": { "rack": { "install": install, "local": "exit" } } }),
    );
    site.add("installer", "installer");
    site.add("debian", "debian");
    let _serving = Running::serve(&site);
    lease(&site, 1);
    machine(&site, "node-01", "installed");
    let script = script(&site, STRANGER, "/boot.ipxe?mac=02-00-00-00-00-01");
    assert!(script.contains("/images/debian/@1/"), "{script}");
}

#[test]
#[ignore = "needs root, to mount a tmpfs"]
fn a_report_that_a_full_disk_cannot_keep_is_refused_and_taken_once_there_is_room() {
    let site = installing();
    let state = site.state();
    // The mount is in a namespace of its own, and goes with it.
    let mount = "cp -a \"$0\" \"$0.copy\" && mount -t tmpfs -o size=8m none \"$0\" && \
                 cp -a \"$0.copy/.\" \"$0\" && exec \"$@\"";
    let ours = crate::support::netboot(site.arguments(["serve"]));
    let mut command = std::process::Command::new("unshare");
    command.args(["-m", "sh", "-c", mount]).arg(&state);
    command.arg(ours.get_program()).args(ours.get_args());
    let mut serving = Running::serve_by(command);
    assert_eq!(lease(&site, 1).address, NODE);
    let installer = script(&site, NODE, "/boot.ipxe");
    assert!(installs(&installer), "{installer}");

    let root = format!("/proc/{}/root", serving.child.id());
    let inside = std::path::Path::new(&root).join(state.strip_prefix("/").expect("a whole path"));
    let filler = inside.join("filler");
    let filled = std::fs::write(&filler, vec![0; 16 << 20]).expect_err("8 MiB are there");
    assert_eq!(filled.kind(), std::io::ErrorKind::StorageFull);
    let refused = post(&site, NODE, &report(&installer));
    assert_eq!(refused.status, 500, "{}", refused.text());
    assert_eq!(refused.text(), "the report cannot be kept now\n");
    serving.said("No space left on device");
    // It is not installed, and everything that only reads goes on.
    assert!(installs(&script(&site, NODE, "/boot.ipxe")));
    let image = get(&site, NODE, "/images/installer/bzImage");
    assert_eq!(image.status, 200, "{}", image.status);

    std::fs::remove_file(&filler).expect("a file of ours");
    assert_eq!(post(&site, NODE, &report(&installer)).status, 200);
    assert!(!installs(&script(&site, NODE, "/boot.ipxe")));
}
