//! One thing that listens: how it is bound, how it serves, and why it cannot.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::Arc;

use netboot_tftp::server::Server as TftpServer;
use tokio_util::sync::CancellationToken;

use super::shares::Shares;
use super::{Answers, Inherited, control};
use crate::admin::{Access, Api};
use crate::boot_files::BootFiles;
use crate::config::Config;
use crate::failure::Failure;
use crate::http::Listener;
use crate::{http, tftp};

/// Something that listens. Two that are equal are the same one before and after a reload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Endpoint {
    /// DHCP on an interface.
    Dhcp { interface: String, port: u16 },
    /// TFTP on an address.
    Tftp(SocketAddrV4),
    /// HTTP on an address.
    Http(SocketAddrV4),
    /// HTTPS on an address.
    Https(SocketAddrV4),
    /// The API and metrics on an address.
    Admin(SocketAddr),
    /// The API, and what it changes, at a path of this host.
    Control(PathBuf),
}

/// Why an endpoint does not listen.
pub(super) enum BindError {
    /// What it needs is not there yet.
    NotYet(String),
    /// It cannot.
    Failed(Failure),
}

/// An endpoint that is bound and does not serve yet.
pub(super) enum Bound {
    Dhcp(Box<netboot_dhcp::driver::Listener>),
    Tftp(Box<TftpServer<tftp::Files>>),
    Http(Listener),
    Https(Listener),
    Admin(Listener),
    Control(Listener, PathBuf),
}

impl Bound {
    /// Serves until told to stop, or until what it is bound to is gone.
    pub(super) async fn serve(self, with: Answers, shares: Shares, stop: CancellationToken) {
        let telemetry = with.telemetry;
        let api = |access| Arc::new(Api::new(Arc::clone(&with.operations), access));
        match self {
            Self::Dhcp(listener) => with.dhcp.serve(*listener, stop).await,
            Self::Tftp(server) => {
                if let Err(error) = server.serve(stop.cancelled_owned()).await {
                    tracing::error!("TFTP stopped: {error}");
                }
            }
            Self::Http(listener) => {
                let places = shares.connections;
                http::serve(listener.into(), places, None, with.site, telemetry, stop).await;
            }
            Self::Https(listener) => {
                let certificate = Some(with.certificate);
                let (listener, places) = (listener.into(), shares.connections);
                http::serve(listener, places, certificate, with.site, telemetry, stop).await;
            }
            Self::Admin(listener) => {
                let (listener, places) = (listener.into(), shares.connections);
                http::serve(listener, places, None, api(Access::Read), telemetry, stop).await;
            }
            Self::Control(listener, path) => {
                let (listener, places) = (listener.into(), shares.control);
                http::serve(listener, places, None, api(Access::Write), telemetry, stop).await;
                // What is left there is replaced by the next server.
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Dhcp { interface, .. } => write!(f, "DHCP on {interface}"),
            Self::Tftp(address) => write!(f, "TFTP on {}", address.ip()),
            Self::Http(address) => write!(f, "HTTP on {}", address.ip()),
            Self::Https(address) => write!(f, "HTTPS on {}", address.ip()),
            Self::Admin(address) => write!(f, "API and metrics on {address}"),
            Self::Control(path) => write!(f, "control socket {}", path.display()),
        }
    }
}

impl Endpoint {
    /// What a configuration wants to listen: DHCP once an interface, TFTP and HTTP once an
    /// address, and the API.
    pub(super) fn wanted(config: &Config, inherited: &Inherited) -> BTreeSet<Self> {
        let ports = config.ports;
        let networks = config.networks.iter();
        networks
            .flat_map(|network| {
                let dhcp = network.interface.clone().map(|interface| Self::Dhcp {
                    interface,
                    port: ports.dhcp.get(),
                });
                let tftp = SocketAddrV4::new(network.server, ports.tftp.get());
                let http = SocketAddrV4::new(network.server, ports.http.get());
                let https = config.tls.as_ref().map(|tls| {
                    let address = SocketAddrV4::new(network.server, tls.port.get());
                    Self::Https(inherited.covering_streams(address))
                });
                dhcp.into_iter().chain(https).chain([
                    Self::Tftp(inherited.covering_datagrams(tftp)),
                    Self::Http(inherited.covering_streams(http)),
                ])
            })
            .chain(config.admin_listen.map(Self::Admin))
            .chain([Self::Control(control::path(&config.state_dir))])
            .collect()
    }

    /// Takes the socket that was inherited for it, else binds one.
    pub(super) fn bind(
        &self,
        with: &Answers,
        shares: Shares,
        inherited: &Inherited,
    ) -> Result<Bound, BindError> {
        let bound = match self {
            Self::Dhcp { interface, port } => {
                let passed = inherited.on_interface(interface, *port).transpose();
                passed
                    .and_then(|passed| with.dhcp.bind(interface, *port, passed))
                    .map(|listener| Bound::Dhcp(Box::new(listener)))
            }
            Self::Tftp(address) => bind_tftp(*address, &with.files, shares, inherited)
                .map(|server| Bound::Tftp(Box::new(server))),
            Self::Http(address) => bind_http(*address, inherited).map(Bound::Http),
            Self::Https(address) => bind_http(*address, inherited).map(Bound::Https),
            Self::Admin(address) => Listener::bind(*address).map(Bound::Admin),
            Self::Control(path) => control::bind(path)
                .map(|listener| Bound::Control(Listener::Unix(listener), path.clone())),
        };
        bound.map_err(|error| self.explain(&error))
    }

    fn port(&self) -> u16 {
        match self {
            Self::Dhcp { port, .. } => *port,
            Self::Tftp(address) | Self::Http(address) | Self::Https(address) => address.port(),
            Self::Admin(address) => address.port(),
            Self::Control(_) => 0,
        }
    }

    /// Whether only an interface or an address can be what it waits for.
    pub(super) fn waits_for_link(&self) -> bool {
        !matches!(self, Self::Admin(_) | Self::Control(_))
    }

    /// What it does once it is bound.
    pub(super) fn state(&self) -> &'static str {
        match self {
            Self::Admin(_) | Self::Control(_) => "serving",
            Self::Dhcp { .. } | Self::Tftp(_) | Self::Http(_) | Self::Https(_) => "listening",
        }
    }

    fn explain(&self, error: &io::Error) -> BindError {
        use nix::errno::Errno;
        let port = self.port();
        let tried = || format!("{self}, port {port}");
        if let Self::Control(path) = self {
            return BindError::Failed(Failure::new(
                format!("listening at {}", path.display()),
                error,
                "let this user write there; a path of more than 100 bytes is too long for a socket",
            ));
        }
        match error.raw_os_error().map(Errno::from_raw) {
            // Machines boot without it, so that whatever keeps it away is waited for.
            _ if matches!(self, Self::Admin(_)) => BindError::NotYet(format!(
                "{error} (`admin_listen` says where it is, or that it is \"off\")"
            )),
            Some(Errno::ENODEV) => BindError::NotYet("the interface is not there yet".into()),
            Some(Errno::EADDRNOTAVAIL) => {
                BindError::NotYet("no interface has the address yet".into())
            }
            Some(Errno::EADDRINUSE) => BindError::Failed(Failure::new(
                tried(),
                "another program has the port",
                format!("find it with `ss -lntup 'sport = :{port}'` and stop it"),
            )),
            Some(Errno::EACCES | Errno::EPERM) => BindError::Failed(Failure::new(
                tried(),
                "this user may not",
                "run it as root, or with the capabilities CAP_NET_BIND_SERVICE and CAP_NET_RAW",
            )),
            _ => BindError::Failed(Failure::new(
                tried(),
                error,
                "see what the system says about the interface with `ip addr`",
            )),
        }
    }
}

fn bind_http(address: SocketAddrV4, inherited: &Inherited) -> io::Result<Listener> {
    match inherited.streams(address) {
        Some(listener) => listener
            .and_then(tokio::net::TcpListener::from_std)
            .map(Listener::Tcp),
        None => Listener::bind(address.into()),
    }
}

fn bind_tftp(
    address: SocketAddrV4,
    boot_files: &BootFiles,
    shares: Shares,
    inherited: &Inherited,
) -> io::Result<TftpServer<tftp::Files>> {
    let files = tftp::Files::new(boot_files.clone());
    let world = boot_files.worlds().recent();
    let settings = world.config().tftp.settings(shares.transfers);
    let server = match inherited.datagrams(address) {
        Some(socket) => TftpServer::from_socket(socket?, settings, files)?,
        None => TftpServer::bind(address.into(), settings, files)?,
    };
    let (identity, telemetry) = (
        boot_files.identity().clone(),
        boot_files.telemetry().clone(),
    );
    let known = boot_files.clone();
    let server = server.prefer(move |client| known.is_known(client));
    Ok(server.observe(move |event| tftp::observe(&identity, &telemetry, event)))
}
