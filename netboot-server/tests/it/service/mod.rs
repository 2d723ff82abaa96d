//! The running server over real sockets, on the loopback interface and unprivileged ports: HTTP,
//! TFTP, DHCP, who is who, what survives, and what strangers can do.

mod ending;
mod full;
mod hostile;
mod http;
mod machine;
mod slow;
mod transfers;

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::symlink;

use netboot_dhcp::client::Profile;
use netboot_dhcp::value::Arch;
use netboot_image::Digest;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::support::client::{Connection, get, lease, lease_as, mac, tftp};
use crate::support::{PATIENCE, Reads, Running, SERVER, Site, netboot, write};

/// Machine 1 is a target with an address of its own.
const NODE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 50);
/// An address that nobody has leased.
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

fn targets() -> Value {
    json!([
        { "name": "node-01", "mac": mac(1), "ip": NODE, "config": "debian",
          "cmdline": "host={name} ip={ip} state={state-digest}",
          "state": { "plugins": { "net": ["eth0"] } } },
        { "name": "node-02", "mac": mac(2), "config": "missing", "state": { "secret": 2 } },
    ])
}

/// Allows this process and those that it starts so many open files.
fn allow_open_files(files: u64) {
    let limit = Resource::RLIMIT_NOFILE;
    let (_, hard) = getrlimit(limit).expect("a limit");
    let files = hard.max(files);
    setrlimit(limit, files, files).expect("root may have more than the limit");
}

fn site() -> Site {
    let site = Site::new(&targets());
    let programs = site.state().join("tftp");
    std::fs::create_dir_all(&programs).expect("a folder");
    write(&programs, "undionly.kpxe", &b"a boot program".repeat(100));
    write(&programs, "snponly.efi", b"another");
    site
}

/// A DHCPDISCOVER by hand, RFC 2131 figure 1: BOOTREQUEST, Ethernet, machine 7, the cookie, option
/// 53 and these options.
fn discover(options: &[u8]) -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0, 1, 2, 3, 4];
    message.resize(28, 0);
    message.extend([2, 0, 0, 0, 0, 7]);
    message.resize(236, 0);
    message.extend([99, 130, 83, 99, 53, 1, 1]);
    message.extend(options);
    message.push(255);
    message
}
