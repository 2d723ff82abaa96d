//! `netboot serve` where it cannot listen, and how it ends.

use super::*;

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
        done.err.contains(
            "another netboot runs on this state folder; stop it, or name another folder with \
             --state-dir"
        ),
        "{}",
        done.err
    );
}
