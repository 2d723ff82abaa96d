//! The `netboot` command as people run it: what it says where, how it ends, and what it leaves.

mod support;

use std::net::{TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;
use serde_json::json;
use support::{Done, Reads, Running, SERVER, Site, netboot, run, write};

fn target(image: &str) -> serde_json::Value {
    json!([{ "name": "node-01", "mac": "02:00:00:00:00:01", "ip": "127.0.0.50", "config": image,
             "cmdline": "BOOTIF=01-{mac-dash} ip={ip} host={name} from={server}" }])
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    names.sort();
    names
}

#[test]
fn check_of_a_good_configuration_says_so_and_makes_nothing() {
    let site = Site::new(&json!([]));
    let done = site.run(["check"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(
        done.out
            .starts_with("the configuration holds: 1 network(s), 0 target(s), "),
        "{}",
        done.out
    );
    assert_eq!(entries(site.folder.path()), ["netboot.json"]);
}

#[test]
fn check_tells_all_that_is_wrong_on_standard_error_and_ends_with_1() {
    let site = Site::new(&json!([
        { "name": "a", "mac": "nonsense" },
        { "name": "b", "mac": "02:00:00:00:00:02", "ip": "10.0.0.1", "colour": "red" },
    ]));
    let done = site.run(["check"]);
    assert_eq!(done.code, Some(1));
    assert_eq!(done.out, "");
    let place = site.config().display().to_string();
    for expected in [
        format!("error: {place}: netboot.targets[0].mac: \"nonsense\" "),
        format!("error: {place}: netboot.targets[1].ip: 10.0.0.1 is outside 127.0.0.0/8\n  cure: "),
        format!("error: {place}: netboot.targets[1].colour: no such key is known\n  cure: "),
        "3 to mend; nothing would start\n".into(),
    ] {
        assert!(done.err.contains(&expected), "{expected}\n{}", done.err);
    }
    assert_eq!(entries(site.folder.path()), ["netboot.json"]);
}

#[test]
fn serve_of_a_bad_configuration_says_the_same_and_starts_nothing() {
    let site = Site::new(&json!([{ "name": "a", "mac": "nonsense" }, { "mac": 5 }]));
    let done = site.run(["serve"]);
    assert_eq!(done.code, Some(1));
    for expected in [
        "netboot.targets[0].mac: ",
        "netboot.targets[1].name: is missing",
        "netboot.targets[1].mac: 5 cannot be read",
        "nothing was started\n",
    ] {
        assert!(done.err.contains(expected), "{expected}\n{}", done.err);
    }
    assert_eq!(entries(site.folder.path()), ["netboot.json"]);
}

#[test]
fn a_missing_configuration_is_one_sentence_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("none.toml").display().to_string();
    for command in ["check", "serve", "menu"] {
        let done = run([command, "--config", &file]);
        assert_eq!(done.code, Some(1), "{command}");
        assert!(
            done.err
                .starts_with(&format!("error: {file}: cannot be read: ")),
            "{}",
            done.err
        );
        assert!(done.err.contains("cure: name a file"), "{}", done.err);
    }
}

#[test]
fn check_print_shows_a_normal_form_that_reads_back() {
    let site = Site::new(&target("debian"));
    let first = site.run(["check", "--print"]);
    assert_eq!(first.code, Some(0), "{}", first.err);
    let file = write(site.folder.path(), "normal.toml", first.out.as_bytes());
    let second = run(["check", "--print", "--config", &file]);
    assert_eq!(second.code, Some(0), "{}", second.err);
    assert_eq!(second.out, first.out);
    assert!(first.out.contains("[[netboot.networks]]"), "{}", first.out);
}

#[test]
fn a_normal_form_that_toml_cannot_hold_is_json_and_said_so() {
    let site = Site::new(&json!([
        { "name": "a", "mac": "02:00:00:00:00:01", "state": { "plugins": null } },
    ]));
    let first = site.run(["check", "--print"]);
    assert_eq!(first.code, Some(0), "{}", first.err);
    assert!(first.err.contains("note: this is JSON"), "{}", first.err);
    let file = write(site.folder.path(), "normal.json", first.out.as_bytes());
    let second = run(["check", "--print", "--config", &file]);
    assert_eq!(second.out, first.out, "{}", second.err);
}

#[test]
fn an_image_that_is_missing_is_a_warning() {
    let site = Site::new(&target("debian"));
    let done = site.run(["check"]);
    assert_eq!(done.code, Some(0));
    assert!(
        done.err.contains(
            "netboot.targets[0].config: image debian is not in the store; node-01 gets a script that says so"
        ),
        "{}",
        done.err
    );
    assert!(
        done.err
            .contains("cure: run `netboot image add debian --kernel FILE --initrd FILE`"),
        "{}",
        done.err
    );
    let images = json!({ "images": { "debian": { "nix": "debian.nix" } } });
    site.configure(&target("debian"), images);
    let done = site.run(["check"]);
    let cure = "cure: run `netboot image generate debian`";
    assert!(done.err.contains(cure), "{}", done.err);
    site.add("debian", "one");
    let done = site.run(["check"]);
    assert!(!done.err.contains("image debian"), "{}", done.err);
}

#[test]
fn an_image_that_cannot_be_used_is_a_warning_of_check() {
    let site = Site::new(&json!([]));
    site.add("debian", "one");
    let manifest = site.state().join("http/images/debian/manifest.json");
    let manifest = manifest.canonicalize().expect("a manifest");
    make_writable(&manifest);
    std::fs::write(&manifest, "{").expect("a file");
    let done = site.run(["check"]);
    assert_eq!(done.code, Some(0));
    assert!(
        done.err.contains("image debian cannot be used: "),
        "{}",
        done.err
    );
    let done = site.run(["image", "list"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.contains("netboot: debian cannot be used: "),
        "{}",
        done.err
    );
}

fn make_writable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    for path in [path, path.parent().expect("a folder")] {
        let mut mode = path.metadata().expect("metadata").permissions();
        mode.set_mode(mode.mode() | 0o200);
        std::fs::set_permissions(path, mode).expect("one's own file");
    }
}

#[test]
fn an_image_is_added_listed_and_verified() {
    let site = Site::new(&json!([]));
    let (kernel, initrd) = site.add("debian", "one");
    let done = site.run(["image", "list"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let bytes = kernel.len() + initrd.len();
    let line = done.out.lines().next().unwrap_or_default();
    assert!(line.starts_with("debian @1  linux  x86_64  "), "{line}");
    assert!(line.contains(&format!("{bytes} bytes")), "{line}");
    assert_eq!(done.out.lines().count(), 1);
    let done = site.run(["image", "verify"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.starts_with("debian: "), "{}", done.out);
    assert!(done.out.ends_with(": whole\n"), "{}", done.out);
}

#[test]
fn a_damaged_image_names_the_file_and_both_digests() {
    let site = Site::new(&json!([]));
    let (kernel, _) = site.add("debian", "one");
    let file = site.state().join("http/images/debian/bzImage");
    let file = file.canonicalize().expect("a kernel");
    make_writable(&file);
    let mut damaged = kernel.clone();
    damaged[1030] ^= 1;
    std::fs::write(&file, &damaged).expect("a file");
    let done = site.run(["image", "verify", "debian"]);
    assert_eq!(done.code, Some(1));
    for expected in ["bzImage".to_owned(), sha256(&kernel), sha256(&damaged)] {
        assert!(done.out.contains(&expected), "{expected}\n{}", done.out);
    }
    assert!(
        done.err.contains("add these images again from a good copy"),
        "{}",
        done.err
    );
}

/// As coreutils count it.
fn sha256(bytes: &[u8]) -> String {
    use std::io::Write;
    let mut child = std::process::Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sha256sum, of every Linux system");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(bytes).expect("a pipe");
    drop(input);
    let output = child.wait_with_output().expect("sha256sum");
    let text = String::from_utf8(output.stdout).expect("text");
    text.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn sha256sum_agrees_with_the_sums_of_every_image() {
    let site = Site::new(&json!([]));
    site.add("debian", "one");
    let done: Done = std::process::Command::new("sha256sum")
        .args(["-c", "SHA256SUMS"])
        .current_dir(site.state().join("http/images/debian"))
        .output()
        .expect("sha256sum, of every Linux system")
        .into();
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.contains("bzImage: OK"), "{}", done.out);
}

#[test]
fn what_cannot_be_added_is_told_and_the_store_stays_as_it_was() {
    let site = Site::new(&json!([]));
    let folder = site.folder.path();
    let text = write(folder, "text", b"not a kernel at all");
    let empty = write(folder, "empty", b"");
    let kernel = write(folder, "kernel", &support::kernel("x"));
    let directory = folder.display().to_string();
    for (kernel, initrd, expected) in [
        (&text, &kernel, "kernel"),
        (&kernel, &empty, "empty"),
        (&directory, &kernel, "directory"),
        (&"/nonexistent".to_owned(), &kernel, "/nonexistent"),
    ] {
        let add = [
            "image", "add", "bad", "--kernel", kernel, "--initrd", initrd,
        ];
        let done = site.run(add);
        assert_eq!(done.code, Some(1), "{kernel} {initrd}: {}", done.out);
        assert!(
            done.err.starts_with("netboot: adding image bad: "),
            "{}",
            done.err
        );
        assert!(done.err.contains(expected), "{expected}: {}", done.err);
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    }
    for (word, expected) in [("x=${net0/mac}", "there is {mac}"), ("x=\"y", "quote")] {
        let add = [
            "image", "add", "bad", "--kernel", &kernel, "--initrd", &kernel,
        ];
        let done = site.run(add.into_iter().chain(["--cmdline", word]));
        assert_eq!(done.code, Some(1), "{word}");
        assert!(done.err.contains(expected), "{}", done.err);
    }
    let done = site.run(["image", "list"]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(0), ""),
        "{}",
        done.err
    );
    let done = site.run([
        "image", "add", "../up", "--kernel", &kernel, "--initrd", &kernel,
    ]);
    assert_eq!(done.code, Some(2), "{}", done.err);
}

#[test]
fn an_image_that_nobody_knows_is_told() {
    let site = Site::new(&json!([]));
    site.add("debian", "one");
    let done = site.run(["image", "verify", "debain"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("debain"), "{}", done.err);
}

#[test]
fn the_menu_is_shown_as_clients_get_it_and_nothing_is_made() {
    let site = Site::new(&target("debian"));
    let done = site.run(["menu"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.starts_with("#!ipxe\n"), "{}", done.out);
    assert_eq!(entries(site.folder.path()), ["netboot.json"]);
    site.add("debian", "one");
    let done = site.run(["menu"]);
    assert!(
        done.out.contains("/images/debian/@1/bzImage"),
        "{}",
        done.out
    );
    assert!(done.err.starts_with("# the menu: "), "{}", done.err);
}

#[test]
fn the_menu_of_a_machine_is_its_images_script() {
    let site = Site::new(&target("debian"));
    let done = site.run(["menu", "--mac", "02-00-00-00-00-01"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(
        done.out.contains("netboot image add debian"),
        "{}",
        done.out
    );
    site.add("debian", "one");
    let done = site.run(["menu", "--mac", "02:00:00:00:00:01"]);
    let url = format!(
        "http://{SERVER}:{}/images/debian/@1/bzImage",
        site.ports.http
    );
    assert!(done.out.contains(&url), "{}", done.out);
    let words =
        "console=ttyS0 BOOTIF=01-02-00-00-00-00-01 ip=127.0.0.50 host=node-01 from=127.0.0.1";
    assert!(done.out.contains(words), "{}", done.out);
    assert!(
        done.err
            .starts_with("# image debian @1: it is target node-01 "),
        "{}",
        done.err
    );
    let file = |name: &str| site.folder.path().join(name).display().to_string();
    let (kernel, initrd) = (file("debian.kernel"), file("debian.initrd"));
    let add = [
        "image", "add", "debian", "--kernel", &kernel, "--initrd", &initrd,
    ];
    let own = [
        "--cmdline",
        "init=/sbin/init BOOTIF=01-{mac-dash} own={braces}",
    ];
    let done = site.run(add.into_iter().chain(own));
    assert_eq!(done.code, Some(0), "{}", done.err);
    let done = site.run(["menu", "--mac", "02:00:00:00:00:01"]);
    let words = "init=/sbin/init BOOTIF=01-02-00-00-00-00-01 own={braces} BOOTIF=";
    assert!(done.out.contains(words), "{}", done.out);
    let done = site.run(["menu", "--mac", "nonsense"]);
    assert_eq!(done.code, Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let site = Site::new(&json!([]));
    for command in ["check", "menu"] {
        let mut child = netboot(site.arguments([command]))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command");
        // Both ends that would be read are closed at once.
        drop(child.stdout.take());
        drop(child.stderr.take());
        let status = child.wait().expect("a child");
        assert_eq!(status.code(), Some(0), "{command}");
    }
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("a device of every Linux system");
    let done: Done = netboot(site.arguments(["check", "--print"]))
        .stdout(full)
        .output()
        .expect("the command")
        .into();
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.contains("netboot: writing to standard output: "),
        "{}",
        done.err
    );
}

#[test]
fn the_demo_prints_each_step_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let done: Done = netboot(["demo"])
        .env("TMPDIR", temporary.path())
        .output()
        .expect("the command")
        .into();
    assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
    let steps = [
        "netboot demo: ",
        "  DHCP      firmware: 127.0.0.",
        "  TFTP      undionly.kpxe: ",
        "  DHCP      iPXE: 127.0.0.",
        "  HTTP      http://127.0.0.1:",
        "  says      Booting Demo",
        "  HTTP      http://127.0.0.1:",
        "  HTTP      http://127.0.0.1:",
        "  HTTP      http://127.0.0.1:",
        "  verified  bzImage  ",
        "  verified  initrd  ",
        "  boots     ",
        "booted: ",
    ];
    let lines: Vec<_> = done.out.lines().collect();
    assert_eq!(lines.len(), steps.len(), "{}", done.out);
    for (line, step) in lines.iter().zip(steps) {
        assert!(line.starts_with(step), "{step}\n{}", done.out);
        let transfer = ["  DHCP ", "  TFTP ", "  HTTP "]
            .iter()
            .any(|p| step.starts_with(p));
        let measured = line.contains(" bytes  [") && line.ends_with(" ms]");
        assert_eq!(measured, transfer, "{line}");
    }
    assert_eq!(entries(temporary.path()), Vec::<String>::new());
}

#[test]
fn a_demo_that_is_told_to_end_leaves_nothing_behind() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // One that was through before the signal came tells nothing.
        let interrupted = (0..20).find_map(|_| interrupted_demo(signal));
        let said = interrupted.expect("the signal comes in the middle at last");
        assert!(said.contains("the demo: interrupted"), "{said}");
    }
}

/// What an interrupted demo says; `None` where it was through before.
fn interrupted_demo(signal: Signal) -> Option<String> {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let child = netboot(["demo"])
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command");
    support::wait_until("it makes a folder", || {
        !entries(temporary.path()).is_empty()
    });
    let pid = i32::try_from(child.id()).expect("a process number");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("a process");
    let done: Done = child.wait_with_output().expect("a child").into();
    assert_eq!(entries(temporary.path()), Vec::<String>::new());
    assert!(matches!(done.code, Some(0 | 1)), "{signal:?}: {done:?}");
    (done.code == Some(1)).then_some(done.err)
}

#[test]
fn a_port_that_is_taken_is_one_sentence_with_what_to_do() {
    let site = Site::new(&json!([]));
    let (dhcp, tftp, http) = (site.ports.dhcp, site.ports.tftp, site.ports.http);
    let udp = |port| UdpSocket::bind((SERVER, port)).expect("a free port");
    for (what, port) in [("DHCP on lo", dhcp), ("TFTP on 127.0.0.1", tftp)] {
        let taken = udp(port);
        refused_port(&site, what, port);
        drop(taken);
    }
    let _taken = TcpListener::bind((SERVER, http)).expect("a free port");
    refused_port(&site, "HTTP on 127.0.0.1", http);
}

fn refused_port(site: &Site, what: &str, port: u16) {
    let done = site.run(["serve"]);
    assert_eq!(done.code, Some(1), "{}", done.err);
    let said = format!(
        "netboot: {what}, port {port}: another program has the port; find it with \
         `ss -lntup 'sport = :{port}'` and stop it\n"
    );
    assert!(done.err.ends_with(&said), "{}", done.err);
}

#[test]
fn a_port_that_is_not_permitted_is_one_sentence_with_what_to_do() {
    const NOBODY: u32 = 65534;
    let site = Site::new(&json!([]));
    site.configure(
        &json!([]),
        json!({ "ports": {
            "dhcp": site.ports.dhcp, "dhcp_client": site.ports.dhcp_client,
            "tftp": site.ports.tftp, "http": 7,
        }}),
    );
    let mut command = netboot(site.arguments(["serve"]));
    if nix::unistd::geteuid().is_root() {
        // The same, as a user who may not; the program may stand where only root can look.
        let program = site.folder.path().join("netboot");
        std::fs::copy(env!("CARGO_BIN_EXE_netboot"), &program).expect("a copy");
        let nobody = Some(nix::unistd::Uid::from_raw(NOBODY));
        nix::unistd::chown(site.folder.path(), nobody, None).expect("root may");
        command = std::process::Command::new(program);
        command
            .args(site.arguments(["serve"]))
            .uid(NOBODY)
            .gid(NOBODY);
    }
    let done: Done = command.output().expect("the command").into();
    let floor = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    assert!(
        floor.is_ok_and(|floor| floor.trim().parse::<u16>().is_ok_and(|floor| floor > 7)),
        "this host lets everybody have port 7"
    );
    assert_eq!(done.code, Some(1), "{}", done.err);
    assert!(
        done.err.ends_with(
            "netboot: HTTP on 127.0.0.1, port 7: this user may not; run it as root, or with the \
             capabilities CAP_NET_BIND_SERVICE and CAP_NET_RAW\n"
        ),
        "{}",
        done.err
    );
}

#[test]
fn an_interface_that_is_not_there_is_waited_for() {
    let site = Site::new(&json!([]));
    let document = std::fs::read_to_string(site.config()).expect("a file");
    let document = document.replace("\"lo\"", "\"netboot-none\"");
    std::fs::write(site.config(), document).expect("a file");
    let mut serving = Running::start(netboot(site.arguments(["serve"])), Reads::Errors);
    serving.line("DHCP on netboot-none: the interface is not there yet: waiting for it");
    serving.line("listening");
    serving.line("listening");
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code(), Some(0), "{:#?}", serving.seen);
}

#[test]
#[ignore = "needs root, for a network namespace"]
fn an_interface_that_is_made_anew_is_served_again() {
    let site = Site::new(&json!([]));
    let document = std::fs::read_to_string(site.config()).expect("a file");
    let document = document.replace("\"lo\"", "\"nb0\"");
    std::fs::write(site.config(), document).expect("a file");
    let mut command = std::process::Command::new("unshare");
    command
        .args(["--net", "sh", "-ec"])
        .arg("ip link set lo up; ip tuntap add nb0 mode tap; ip link set nb0 up; exec \"$@\"");
    command.arg("sh").arg(env!("CARGO_BIN_EXE_netboot"));
    command.args(site.arguments(["serve"]));
    let mut serving = Running::start(command, Reads::Errors);
    serving.said("DHCP on nb0: listening");
    let pid = serving.child.id().to_string();
    let ip = |arguments: &str| {
        let done = std::process::Command::new("nsenter")
            .args(["--target", &pid, "--net", "ip"])
            .args(arguments.split(' '))
            .status();
        assert!(done.is_ok_and(|status| status.success()), "ip {arguments}");
    };
    ip("link del nb0");
    serving.line("DHCP on nb0: is gone: waiting for it");
    ip("tuntap add nb0 mode tap");
    serving.line("DHCP on nb0: listening");
    serving.signal(Signal::SIGTERM);
    assert_eq!(serving.end().code(), Some(0), "{:#?}", serving.seen);
}

#[test]
fn a_server_that_is_told_to_end_ends_with_0() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let site = Site::new(&json!([]));
        let mut serving = Running::serve(&site);
        serving.signal(signal);
        assert_eq!(serving.end().code(), Some(0), "{:#?}", serving.seen);
        assert!(
            serving.seen.iter().any(|line| line.contains("stopping")),
            "{:#?}",
            serving.seen
        );
    }
}

#[test]
fn the_log_of_a_server_holds_no_escape_codes_where_it_is_no_terminal() {
    let site = Site::new(&target("debian"));
    let mut serving = Running::serve(&site);
    serving.signal(Signal::SIGTERM);
    serving.end();
    assert!(
        !serving.seen.iter().any(|line| line.contains('\x1b')),
        "{:#?}",
        serving.seen
    );
}

#[test]
fn a_second_server_on_one_state_folder_says_so() {
    let first = Site::new(&json!([]));
    let _serving = Running::serve(&first);
    let second = Site::new(&json!([]));
    let done: Done = netboot(["serve", "--config"])
        .arg(second.config())
        .arg("--state-dir")
        .arg(first.state())
        .output()
        .expect("the command")
        .into();
    assert_eq!(done.code, Some(1));
    assert!(
        done.err
            .contains("another netboot runs on this state folder: stop it, or name another folder with --state-dir"),
        "{}",
        done.err
    );
}
