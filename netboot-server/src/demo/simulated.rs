//! The demo with a simulated machine: a client goes through the whole chain over real sockets.
//!
//! The network is the loopback interface, whose addresses 127.0.0.100 to 127.0.0.200 are lent, so
//! that the machine really asks from its lease. The ports are free ones above 1024.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use netboot_dhcp::client::{Bound, Client, Output, Profile};
use netboot_dhcp::value::Arch;
use netboot_dhcp::wire::MessageView;
use netboot_dhcp::{MacAddr, Timestamp};
use netboot_image::{Digest, Manifest};
use netboot_ipxe::{Arg, Command, ImageCommand, ImageVerb, Script};
use netboot_tftp::client::Client as TftpClient;
use tokio::net::UdpSocket;

use super::{fetch, image, interrupted, scratch};
use crate::command::out;
use crate::config::{self, Config, Flags, Host};
use crate::failure::{Chain, Failure};
use crate::service::Service;

const SERVER: Ipv4Addr = Ipv4Addr::LOCALHOST;
const MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x01]);
const PROGRAM: &str = "undionly.kpxe";
/// How long any one step may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the demo and removes all it made, also where a step fails or it is interrupted.
pub(super) fn run() -> Result<(), Failure> {
    crate::command::runtime()?.block_on(demo())
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
        "booted: {} bytes in {:.3} s, every digest as in the manifest\n",
        walked?,
        took.as_secs_f64()
    ))
}

async fn walk(config: &Config) -> Result<u64, Failure> {
    out(format_args!(
        "netboot demo: DHCP, TFTP and HTTP on {SERVER}, ports {}, {} and {}; a simulated machine {MAC} is powered on\n",
        config.ports.dhcp, config.ports.tftp, config.ports.http
    ))?;
    let machine = Simulated { config };
    tokio::time::timeout(PATIENCE, machine.boot())
        .await
        .map_err(|_| {
            Failure::new(
                "booting the simulated machine",
                format!("it was not through after {} s", PATIENCE.as_secs()),
                "run it again on a machine that is less busy",
            )
        })?
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
        match Service::start(config.clone()).await {
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

/// The simulated machine, which knows nothing but the ports.
struct Simulated<'c> {
    config: &'c Config,
}

impl Simulated<'_> {
    /// From power-on to the kernel and its initial RAM disk; gives the bytes that were loaded.
    async fn boot(&self) -> Result<u64, Failure> {
        let firmware = self.dhcp("firmware", Profile::pxe_bios(MAC), 1).await?;
        let program = self.tftp(&firmware).await?;
        let ipxe = self
            .dhcp("iPXE", Profile::ipxe(MAC, Arch::X86_BIOS), 2)
            .await?;
        let url = ipxe
            .file
            .clone()
            .ok_or_else(|| broken("iPXE was told no script"))?;
        let from = IpAddr::V4(ipxe.address);
        let script = get(from, &url).await?;
        let plan = Plan::read(&script)?;
        let kernel = get(from, &plan.kernel).await?;
        let initrd = get(from, &plan.initrd).await?;
        let manifest_url = plan.beside("manifest.json")?;
        let manifest = Manifest::from_json(&get(from, &manifest_url).await?)
            .map_err(|error| broken(format!("{manifest_url}: {error}")))?;
        let mut loaded = 0;
        for (url, bytes) in [(&plan.kernel, &kernel), (&plan.initrd, &initrd)] {
            let name = url.rsplit('/').next().unwrap_or_default();
            let file = manifest
                .file(name)
                .ok_or_else(|| broken(format!("the manifest does not list {name}")))?;
            let digest = Digest::of(bytes);
            if digest != file.digest() {
                return Err(broken(format!(
                    "{name} has the digest {digest}, and the manifest says {}",
                    file.digest()
                )));
            }
            loaded += file.size();
            out(format_args!("  verified  {name}  {digest}\n"))?;
        }
        out(format_args!("  boots     {}\n", plan.command_line))?;
        let sent = [script.len(), program.len()];
        Ok(loaded + sent.iter().map(|length| *length as u64).sum::<u64>())
    }

    /// DISCOVER to ACK, as this kind of client asks.
    async fn dhcp(&self, who: &str, mut profile: Profile, xid: u32) -> Result<Bound, Failure> {
        let began = now();
        let failed = |error: &dyn std::error::Error| {
            Failure::new(
                format!("DHCP as {who}"),
                Chain(error),
                "run it where the loopback interface is up",
            )
        };
        let ports = self.config.ports;
        profile.server_port = ports.dhcp.get();
        let socket = bind_client(ports.dhcp_client.get()).map_err(|error| failed(&error))?;
        let virtual_now = || {
            let elapsed = began.elapsed().as_millis();
            Timestamp(u64::try_from(elapsed).unwrap_or(u64::MAX))
        };
        let mut client = Client::new(virtual_now(), profile, xid);
        let mut buffer = vec![0; 2048];
        let mut exchanged = 0;
        let bound = loop {
            match client
                .poll_output(virtual_now())
                .map_err(|error| failed(&error))?
            {
                Output::Transmit(transmit) => {
                    // Loopback has no broadcast; the server listens on the address itself.
                    let to = SocketAddrV4::new(SERVER, transmit.destination.port());
                    exchanged += socket
                        .send_to(&transmit.bytes, to)
                        .await
                        .map_err(|error| failed(&error))?;
                }
                Output::Wait(until) => {
                    let wait = Duration::from_millis(until.millis_since(virtual_now()));
                    let received = tokio::time::timeout(wait, socket.recv_from(&mut buffer)).await;
                    if let Ok(received) = received {
                        let (length, from) = received.map_err(|error| failed(&error))?;
                        exchanged += length;
                        let bytes = buffer.get(..length).unwrap_or_default();
                        if let (Ok(message), SocketAddr::V4(from)) =
                            (MessageView::parse(bytes), from)
                        {
                            client.handle_input(virtual_now(), from, &message);
                        }
                    }
                }
                Output::Done(bound) => break bound,
                Output::Failed(failure) => return Err(failed(&failure)),
            }
        };
        out(format_args!(
            "  DHCP      {who}: {} from {}, boots {}: {exchanged} bytes  [{}]\n",
            bound.address,
            bound.server,
            bound.file.as_deref().unwrap_or("nothing"),
            took(began)
        ))?;
        Ok(bound)
    }

    async fn tftp(&self, firmware: &Bound) -> Result<Bytes, Failure> {
        let began = now();
        let name = firmware
            .file
            .as_deref()
            .ok_or_else(|| broken("the firmware was told no program"))?;
        let server = firmware.next_server.unwrap_or(firmware.server);
        let server = SocketAddr::from((server, self.config.ports.tftp.get()));
        let client = TftpClient::new(server).bind(SocketAddr::from((firmware.address, 0)));
        let program = client.get_bytes(name, 1 << 20).await.map_err(|error| {
            Failure::new(
                format!("TFTP {name} from {server}"),
                Chain(&error),
                "report this as a defect",
            )
        })?;
        if program != image::program() {
            return Err(broken(format!("{name} came with other bytes")));
        }
        out(format_args!(
            "  TFTP      {name}: {} bytes  [{}]\n",
            program.len(),
            took(began)
        ))?;
        Ok(program)
    }
}

fn bind_client(port: u16) -> std::io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

async fn get(from: IpAddr, url: &str) -> Result<Bytes, Failure> {
    let began = now();
    let body = fetch::get(from, url).await?;
    out(format_args!(
        "  HTTP      {url}: {} bytes  [{}]\n",
        body.len(),
        took(began)
    ))?;
    Ok(body)
}

fn took(began: Instant) -> String {
    format!("{:.1} ms", began.elapsed().as_secs_f64() * 1000.0)
}

fn broken(why: impl std::fmt::Display) -> Failure {
    Failure::new(
        "booting the simulated machine",
        why,
        "report this as a defect",
    )
}

/// What a boot script tells the machine to load and run.
struct Plan {
    kernel: String,
    initrd: String,
    command_line: String,
}

impl Plan {
    /// Reads the kernel and initrd lines of a script, as iPXE does when nothing fails.
    fn read(script: &[u8]) -> Result<Self, Failure> {
        let text = std::str::from_utf8(script).map_err(broken)?;
        let script = Script::parse(text).map_err(|error| broken(format!("the script: {error}")))?;
        let commands = || script.lines().iter().flat_map(|line| line.commands());
        let find = |verb: ImageVerb| {
            commands()
                .find_map(|command| match command {
                    Command::Image(image) if image.verb == verb => Some(image),
                    _ => None,
                })
                .ok_or_else(|| broken(format!("the script has no line {:?}", verb.name())))
        };
        let url = |command: &ImageCommand| {
            let url = command.image.as_ref().and_then(Arg::as_text);
            url.map(String::from)
                .ok_or_else(|| broken("the script's URL is not plain text"))
        };
        let kernel = find(ImageVerb::Kernel)?;
        Ok(Self {
            kernel: url(kernel)?,
            initrd: url(find(ImageVerb::Initrd)?)?,
            command_line: kernel.args.as_text().unwrap_or_default().to_owned(),
        })
    }

    /// The URL of another file of the same generation.
    fn beside(&self, name: &str) -> Result<String, Failure> {
        let (folder, _) = self
            .kernel
            .rsplit_once('/')
            .ok_or_else(|| broken("the kernel's URL has no path"))?;
        Ok(format!("{folder}/{name}"))
    }
}
