//! A document made in code: a setter for each key.
//!
//! A value goes the way of one in a file, so that what is wrong there is wrong here, too.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use netboot_dhcp::MacAddr;
use netboot_dhcp::server::Subnet;
use netboot_image::ImageName;
use uuid::Uuid;

use super::super::field::Field;
use super::super::listen::AdminListen;
use super::super::{
    Allow, Circuit, Identify, LocalBoot, Mode, ProgramChoice, Secrets, Then, Unknown,
};
use super::{
    CommandLine, Document, Group, Image, Install, LeaseTime, Menu, MenuItem, Network, Ports, Range,
    ReplyDelay, Table, Target, Tftp, Tls,
};

/// A setter for each of these keys: what it takes, and how a file would have that.
macro_rules! setters {
    ($of:ident { $($(#[$doc:meta])+ $key:ident($value:ident: $taken:ty) => $written:expr;)+ }) => {
        impl $of {
            $(
                $(#[$doc])+
                #[must_use]
                pub fn $key(mut self, $value: $taken) -> Self {
                    self.$key = Some($written);
                    self
                }
            )+
        }
    };
}

impl Document {
    /// One that says nothing yet; it needs a network.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a network.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.networks.push(Table(network));
        self
    }

    /// Says how an image is called and what it adds to its command line.
    #[must_use]
    pub fn image(mut self, name: impl Into<String>, image: Image) -> Self {
        self.images.insert(name.into(), Table(image));
        self
    }

    /// Says what several machines share.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>, group: Group) -> Self {
        self.groups.insert(name.into(), Table(group));
        self
    }

    /// Adds a machine.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(Table(target));
        self
    }
}

setters! { Document {
    /// The folder of images, boot programs and leases.
    state_dir(dir: impl Into<PathBuf>) => dir.into();
    /// The folders of boot programs that the state folder has not.
    program_dirs(dirs: impl IntoIterator<Item: Into<PathBuf>>)
        => dirs.into_iter().map(Into::into).collect();
    /// The user that `netboot serve` becomes where it is started as root. A service that another
    /// program starts stays the user that this one is.
    user(name: impl Into<String>) => name.into();
    /// The ports of the protocols.
    ports(ports: Ports) => Table(ports);
    /// What TFTP allows.
    tftp(tftp: Tftp) => Table(tftp);
    /// Where the API and metrics are served; `None` is nowhere.
    admin_listen(address: Option<SocketAddr>) => Field::written(AdminListen(address));
    /// The names that the API is asked by beside the host's own.
    admin_names(names: impl IntoIterator<Item: Into<String>>)
        => names.into_iter().map(Into::into).collect();
    /// HTTPS beside HTTP.
    tls(tls: Tls) => Table(tls);
    /// The menu.
    menu(menu: Menu) => Table(menu);
} }

impl Ports {
    /// Those of the protocols' standards.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

setters! { Ports {
    /// Where DHCP listens.
    dhcp(port: u16) => Field::written(port);
    /// Where DHCP clients listen.
    dhcp_client(port: u16) => Field::written(port);
    /// Where TFTP listens.
    tftp(port: u16) => Field::written(port);
    /// Where HTTP listens.
    http(port: u16) => Field::written(port);
    /// Where PXE clients ask a boot server.
    boot_server(port: u16) => Field::written(port);
} }

impl Tftp {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

setters! { Tftp {
    /// Most transfers at one time by each address of this server.
    max_transfers(count: u16) => Field::written(count);
    /// Most transfers at one time of one client address.
    max_transfers_per_client(count: u16) => Field::written(count);
    /// The largest block that is agreed to, in bytes.
    max_blksize(bytes: u16) => Field::written(bytes);
    /// The largest window that is agreed to, in blocks.
    max_windowsize(blocks: u16) => Field::written(blocks);
    /// Whether transfers go by TFTP's own port.
    single_port(is_single: bool) => Field::written(is_single);
} }

impl Tls {
    /// HTTPS with the certificate and the key in these files, on port 443.
    #[must_use]
    pub fn new(cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            cert: Some(cert.into()),
            key: Some(key.into()),
            ..Self::default()
        }
    }
}

setters! { Tls {
    /// Where it listens.
    port(port: u16) => Field::written(port);
} }

impl Network {
    /// One on an interface of this host, where this server has the address.
    #[must_use]
    pub fn on(interface: impl Into<String>, server: Ipv4Addr) -> Self {
        Self {
            interface: Some(interface.into()),
            server: Some(Field::written(server)),
            ..Self::default()
        }
    }

    /// One behind a DHCP relay, whose machines reach this server by the address.
    #[must_use]
    pub fn relayed(subnet: Subnet, server: Ipv4Addr) -> Self {
        Self {
            subnet: Some(Field::written(subnet)),
            server: Some(Field::written(server)),
            ..Self::default()
        }
    }

    /// Adds addresses to lend, from the first to the last.
    #[must_use]
    pub fn range(mut self, start: Ipv4Addr, end: Ipv4Addr) -> Self {
        self.ranges.push(Table(Range {
            start: Some(Field::written(start)),
            end: Some(Field::written(end)),
        }));
        self
    }

    /// Adds an address that is never lent.
    #[must_use]
    pub fn exclude(mut self, address: Ipv4Addr) -> Self {
        self.exclude.push(Field::written(address));
        self
    }

    /// Adds a DHCP option, by dnsmasq's name for it or by its number.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.options.insert(name.into(), value.into());
        self
    }
}

setters! { Network {
    /// What it is called, by default as its interface or its subnet.
    name(name: impl Into<String>) => name.into();
    /// Its addresses, by default those that the interface has.
    subnet(subnet: Subnet) => Field::written(subnet);
    /// The router that machines are told, by default this server.
    gateway(address: Ipv4Addr) => Field::written(address);
    /// The name servers that machines are told.
    dns(addresses: impl IntoIterator<Item = Ipv4Addr>)
        => Field::written(addresses.into_iter().collect::<Vec<_>>());
    /// The domain that machines are told.
    domain(domain: impl Into<String>) => domain.into();
    /// How long an address is lent, in whole seconds;
    /// [`INFINITE_LEASE`](crate::config::INFINITE_LEASE) is for ever.
    lease_time(time: Duration) => Field::written(LeaseTime(time));
    /// Who is served.
    allow(allow: Allow) => Field::written(allow);
    /// By what a machine is known that asks for what is only its own.
    identify(identify: Identify) => Field::written(identify);
    /// The boot programs of its machines.
    program(program: ProgramChoice) => Field::written(program);
    /// Whether this server gives the addresses there.
    mode(mode: Mode) => Field::written(mode);
    /// Whether no other server gives addresses there.
    authoritative(is: bool) => Field::written(is);
    /// The relay agents that are believed.
    relays(addresses: impl IntoIterator<Item = Ipv4Addr>)
        => Field::written(addresses.into_iter().collect::<Vec<_>>());
    /// Whether a circuit is believed that no relay agent brings, but a switch that snoops.
    trust_option_82(trust: bool) => Field::written(trust);
    /// Whether an address is asked for before it is offered.
    probe(probe: bool) => Field::written(probe);
    /// How long an OFFER to firmware is held back, in whole milliseconds.
    reply_delay(delay: Duration) => Field::written(ReplyDelay(delay));
} }

impl Menu {
    /// One of every image, the local disk and the shell.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is taken when nobody chooses: an image's name, `local` or `shell`; the local disk. It
    /// sets the key `default`.
    #[must_use]
    pub fn default_item(mut self, name: impl Into<String>) -> Self {
        self.default = Some(name.into());
        self
    }

    /// Adds an item; then there are no others than those that were added.
    #[must_use]
    pub fn item(mut self, item: MenuItem) -> Self {
        self.items.get_or_insert_default().push(Table(item));
        self
    }
}

setters! { Menu {
    /// The line above it.
    title(title: impl Into<String>) => title.into();
    /// Seconds until then; 0 waits for ever.
    timeout(seconds: u16) => Field::written(seconds);
    /// What a machine gets that is no target.
    unknown(unknown: Unknown) => Field::written(unknown);
} }

impl MenuItem {
    /// Boots an image.
    #[must_use]
    pub fn image(name: ImageName) -> Self {
        Self {
            image: Some(Field::written(name)),
            ..Self::default()
        }
    }

    /// Goes on with the script or program at a URL.
    #[must_use]
    pub fn chain(url: impl Into<String>) -> Self {
        Self {
            chain: Some(url.into()),
            ..Self::default()
        }
    }

    /// Boots the local disk.
    #[must_use]
    pub fn local() -> Self {
        Self {
            local: Some(Field::written(true)),
            ..Self::default()
        }
    }

    /// Opens iPXE's shell.
    #[must_use]
    pub fn shell() -> Self {
        Self {
            shell: Some(Field::written(true)),
            ..Self::default()
        }
    }
}

setters! { MenuItem {
    /// What people read.
    label(label: impl Into<String>) => label.into();
} }

impl Image {
    /// One of which nothing is said.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

setters! { Image {
    /// What people read in the menu.
    label(label: impl Into<String>) => label.into();
    /// Words behind the image's own command line.
    cmdline(words: impl IntoIterator<Item: Into<String>>) => command_line(words);
    /// The NixOS configuration that it is built from.
    nix(file: impl Into<String>) => file.into();
    /// The configuration of a flake that it is built from.
    flake(reference: impl Into<String>) => reference.into();
    /// Whether the menu shows it, where the menu has no items of its own; `true`.
    menu(shown: bool) => Field::written(shown);
} }

impl Group {
    /// One that says nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a DHCP option, by dnsmasq's name for it or by its number.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.options.insert(name.into(), value.into());
        self
    }
}

setters! { Group {
    /// The image that its machines boot.
    config(image: ImageName) => Field::written(image);
    /// What is installed on them once.
    install(install: Install) => Table(install);
    /// The boot programs that their firmware gets.
    program(program: ProgramChoice) => Field::written(program);
    /// How they boot their local disk.
    local(local: LocalBoot) => Field::written(local);
    /// Words behind the image's command line.
    cmdline(words: impl IntoIterator<Item: Into<String>>) => command_line(words);
} }

impl Install {
    /// The image that installs.
    #[must_use]
    pub fn new(image: ImageName) -> Self {
        Self {
            image: Some(Field::written(image)),
            ..Self::default()
        }
    }
}

setters! { Install {
    /// What the machine boots when it is installed.
    then(then: Then) => Field::written(then);
} }

impl Target {
    /// The machine of this host name. It needs a MAC address, a UUID or a circuit.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::default()
        }
    }

    /// Adds a DHCP option, by dnsmasq's name for it or by its number.
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        self.options.insert(name.into(), value.into());
        self
    }
}

setters! { Target {
    /// Its MAC address.
    mac(mac: MacAddr) => Field::written(mac);
    /// Its UUID, as its firmware prints it or as option 97 has it.
    uuid(uuid: Uuid) => Field::written(uuid);
    /// The circuit of the relay agent's option 82 that it is on.
    circuit(circuit: Circuit) => Field::written(circuit);
    /// To whom what is for it alone is given.
    secrets(secrets: Secrets) => Field::written(secrets);
    /// The address that is kept for it.
    ip(address: Ipv4Addr) => Field::written(address);
    /// The group that it is in.
    group(name: impl Into<String>) => name.into();
    /// The image that it boots.
    config(image: ImageName) => Field::written(image);
    /// What is installed on it once, before anything else.
    install(install: Install) => Table(install);
    /// The boot program that its firmware gets.
    program(program: ProgramChoice) => Field::written(program);
    /// How it boots its local disk.
    local(local: LocalBoot) => Field::written(local);
    /// Words behind its group's command line.
    cmdline(words: impl IntoIterator<Item: Into<String>>) => command_line(words);
    /// What is served to it at `/states/`.
    state(state: impl Into<serde_json::Value>) => state.into();
} }

fn command_line(words: impl IntoIterator<Item: Into<String>>) -> Field<CommandLine> {
    Field::written(CommandLine(words.into_iter().map(Into::into).collect()))
}
