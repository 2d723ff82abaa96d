//! The demo with a simulated machine: a client goes through the whole chain over real sockets.
//!
//! The network is the loopback interface, whose addresses 127.0.0.100 to 127.0.0.200 are lent, so
//! that the machine really asks from its lease. The ports are free ones above 1024.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::HumanBytes;
use netboot_dhcp::MacAddr;

use super::{image, interrupted, scratch};
use crate::out;
use crate::simulated::{Firmware, Link, Machine, Ports, Report};
use netboot_server::Failure;
use netboot_server::Service;
use netboot_server::config::{self, Config, Flags, Host};

const SERVER: Ipv4Addr = Ipv4Addr::LOCALHOST;
const MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x01]);
const PROGRAM: &str = "undionly.kpxe";
/// How long any one step may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the demo and removes all it made, also where a step fails or it is interrupted.
pub(super) fn run() -> Result<(), Failure> {
    crate::runtime()?.block_on(demo())
}

async fn demo() -> Result<(), Failure> {
    let began = now();
    let mut interrupted = std::pin::pin!(interrupted());
    let scratch = scratch()?;
    prepare(scratch.path())?;
    let (service, config) = start(scratch.path()).await?;
    let walked = tokio::select! {
        biased;
        failure = &mut interrupted => Err(failure),
        walked = walk(&config) => walked,
    };
    let took = began.elapsed();
    // What still runs could make files again that are removed.
    service.stop().await;
    let path = scratch.path().display().to_string();
    scratch
        .close()
        .map_err(|error| Failure::new(format!("removing {path}"), error, "remove it by hand"))?;
    out(format_args!(
        "booted: {} in {:.3} s, every digest as in the manifest\n",
        HumanBytes(walked?),
        took.as_secs_f64()
    ))
}

async fn walk(config: &Config) -> Result<u64, Failure> {
    out(format_args!(
        "netboot demo: DHCP, TFTP and HTTP on {SERVER}, ports {}, {} and {}; a simulated machine \
         {MAC} is powered on\n",
        config.ports.dhcp, config.ports.tftp, config.ports.http
    ))?;
    let machine = Machine {
        firmware: Firmware::Bios,
        mac: MAC,
        link: Link::Loopback(SERVER),
        ports: Ports {
            dhcp: config.ports.dhcp.get(),
            dhcp_client: config.ports.dhcp_client.get(),
            tftp: config.ports.tftp.get(),
        },
        choices: VecDeque::new(),
    };
    let mut report = Report::new(false);
    let ended = tokio::time::timeout(PATIENCE, machine.boot(&mut report))
        .await
        .map_err(|_| {
            Failure::new(
                "booting the simulated machine",
                format!("it was not through after {} s", PATIENCE.as_secs()),
                "run it again on a machine that is less busy",
            )
        })??;
    if ended.boots != Some(true) {
        return Err(Failure::new(
            "booting the simulated machine",
            ended.what,
            "report this as a defect",
        ));
    }
    out(format_args!("  boots     {}\n", ended.what))?;
    Ok(ended.loaded)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the demo shows how long each step takes"
)]
fn now() -> Instant {
    Instant::now()
}

fn prepare(scratch: &Path) -> Result<(), Failure> {
    let write = |path: &Path, content: &[u8]| {
        std::fs::write(path, content).map_err(|error| {
            Failure::new(
                format!("writing {}", path.display()),
                error,
                "make room in the temporary folder, or name another with TMPDIR",
            )
        })
    };
    let (kernel, initrd) = (scratch.join("kernel"), scratch.join("initrd"));
    write(&kernel, &image::kernel())?;
    write(&initrd, &image::initrd())?;
    let state = scratch.join("state");
    image::publish(&state, &kernel, &initrd, "console=ttyS0 quiet")?;
    let programs = state.join("tftp");
    std::fs::create_dir_all(&programs).map_err(|error| {
        Failure::new(
            format!("making {}", programs.display()),
            error,
            "make room in the temporary folder, or name another with TMPDIR",
        )
    })?;
    write(&programs.join(PROGRAM), &image::program())
}

/// Starts the service on ports that are free; another program may take one before the service does,
/// so it is tried again.
async fn start(scratch: &Path) -> Result<(Service, Config), Failure> {
    const TRIES: u32 = 5;
    let mut tried = 1;
    loop {
        let config = configure(scratch)?;
        match Service::builder(config.clone()).start().await {
            Ok(service) => return Ok((service, config)),
            Err(failure) if tried == TRIES => return Err(failure),
            Err(_) => tried += 1,
        }
    }
}

fn configure(scratch: &Path) -> Result<Config, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            "looking for free ports on the loopback interface",
            error,
            "run it where the loopback interface is up",
        )
    };
    let any = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
    let udp = || std::net::UdpSocket::bind(any);
    // All held until all are known, so that they differ.
    let (dhcp, client, boot_server, tftp) = (
        udp().map_err(failed)?,
        udp().map_err(failed)?,
        udp().map_err(failed)?,
        udp().map_err(failed)?,
    );
    let http = std::net::TcpListener::bind(any).map_err(failed)?;
    let port = |address: std::io::Result<SocketAddr>| Ok(address.map_err(failed)?.port());
    let document = serde_json::json!({
        "netboot": {
            "ports": {
                "dhcp": port(dhcp.local_addr())?,
                "dhcp_client": port(client.local_addr())?,
                "boot_server": port(boot_server.local_addr())?,
                "tftp": port(tftp.local_addr())?,
                "http": port(http.local_addr())?,
            },
            "admin_listen": "off",
            "server": {
                "ip": SERVER,
                "interface": "lo",
                "subnet": "127.0.0.0/8",
                "dhcp_range": { "start": "127.0.0.100", "end": "127.0.0.200" },
            },
            "targets": [{ "name": "demo-machine", "mac": MAC, "config": image::NAME }],
        }
    });
    let flags = Flags {
        state_dir: Some(scratch.join("state")),
    };
    let (config, problems) = config::load_text(
        "the demo's configuration",
        &document.to_string(),
        true,
        &flags,
        &Host::default(),
    );
    config.ok_or_else(|| Failure::new("setting the demo up", problems, "report this as a defect"))
}
