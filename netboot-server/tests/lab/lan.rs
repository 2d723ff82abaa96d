//! Hosts on one switch: a bridge in a namespace of its own, and a cable to each.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use netboot_server::lab::Namespace;

use crate::server::PATIENCE;

/// The switch.
pub(crate) struct Switch {
    pub(crate) namespace: Namespace,
}

/// A program that ends with its value.
pub(crate) struct Ends(Child);

impl Switch {
    pub(crate) fn new() -> Self {
        let namespace = Namespace::new().expect("a network namespace; this test needs root");
        let switch = Self { namespace };
        // Ports forward at once.
        switch.ip("link add switch type bridge forward_delay 0 mcast_snooping 0");
        switch.ip("link set switch up");
        switch
    }

    /// A host whose interface `name` is on the switch, with this address if it has one.
    pub(crate) fn host(&self, name: &str, address: Option<&str>) -> Namespace {
        let host = Namespace::new().expect("a network namespace");
        self.plug(&host, name, address);
        host
    }

    /// Plugs a host in by another interface.
    pub(crate) fn plug(&self, host: &Namespace, name: &str, address: Option<&str>) {
        let port = format!("to-{name}");
        self.namespace.link(&port, host, name).expect("a veth pair");
        self.ip(&format!("link set {port} master switch"));
        self.ip(&format!("link set {port} up"));
        if let Some(address) = address {
            let add = format!("addr add {address} dev {name}");
            host.ip(&add).expect("ip of iproute2");
        }
        host.ip(&format!("link set {name} up"))
            .expect("ip of iproute2");
    }

    /// Plugs a virtual machine's tap interface in.
    pub(crate) fn tap(&self, name: &str) {
        self.ip(&format!("tuntap add {name} mode tap"));
        self.ip(&format!("link set {name} master switch"));
        self.ip(&format!("link set {name} up"));
    }

    fn ip(&self, words: &str) {
        self.namespace.ip(words).expect("ip of iproute2");
    }
}

impl Ends {
    /// Starts a program in a namespace.
    pub(crate) fn start(namespace: &Namespace, line: &str) -> Self {
        let mut words = line.split_whitespace();
        let program = words.next().expect("a program");
        let child = namespace.spawn(program, words, |command| {
            command.stdin(Stdio::null());
            command.stdout(Stdio::null()).stderr(Stdio::null());
        });
        Self(child.expect("the program starts"))
    }

    /// dnsmasq as the network's DHCP server, with addresses from .100 on and nothing to boot but
    /// what `more` says.
    pub(crate) fn dnsmasq(
        namespace: &Namespace,
        interface: &str,
        leases: &str,
        more: &str,
    ) -> Self {
        Self::pinging_dnsmasq(namespace, interface, leases, &format!("--no-ping {more}"))
    }

    /// The same as it is by default: it pings an address for three seconds before it offers it.
    pub(crate) fn pinging_dnsmasq(
        namespace: &Namespace,
        interface: &str,
        leases: &str,
        more: &str,
    ) -> Self {
        let started = Self::start(
            namespace,
            &format!(
                "dnsmasq -k --conf-file=/dev/null -p 0 --user=root --interface={interface} \
                 --bind-interfaces --pid-file= --dhcp-authoritative \
                 --dhcp-range=192.168.100.100,192.168.100.200,1h --dhcp-leasefile={leases} \
                 {more}"
            ),
        );
        // It opens that file when it has its port.
        wait_for_file(Path::new(leases));
        started
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a program of others tells nobody when it is ready"
)]
fn wait_for_file(path: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < deadline, "no {}", path.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
