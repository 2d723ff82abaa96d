//! The whole service in a program of one's own: each machine boots one image until it has reported
//! that it is done, and from then on what the configuration says.
//!
//! `netboot_embed --interface eth1 --address 192.168.100.1 --range 192.168.100.100 192.168.100.200
//! --image memtest`; the image's last step is `curl -X PUT http://192.168.100.1/done/$MAC`.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use netboot_dhcp::MacAddr;
use netboot_server::Service;
use netboot_server::config::Host;
use netboot_server::config::document::{Document, Network, Ports};
use netboot_server::policy::Choice;
use netboot_server::route::{Body, Method, Request, Response, StatusCode};
use netboot_server::world::{Machine, World};
use tokio::sync::watch;

/// Boot one image on each machine until it reports that it is done, then what the menu says.
#[derive(Debug, Parser)]
struct Arguments {
    /// The interface that the machines are on.
    #[arg(long)]
    interface: String,
    /// This host's address there.
    #[arg(long)]
    address: Ipv4Addr,
    /// The first and the last address to lend.
    #[arg(long, num_args = 2, value_names = ["FIRST", "LAST"], required = true)]
    range: Vec<Ipv4Addr>,
    /// The image that comes first.
    #[arg(long)]
    image: netboot_image::ImageName,
    /// The folder of images, boot programs and leases.
    #[arg(long, default_value = "/var/lib/netboot")]
    state_dir: PathBuf,
    /// Ports of DHCP, its clients, TFTP, HTTP and the boot server, to try it without privileges.
    #[arg(long, num_args = 5, default_values_t = [67, 68, 69, 80, 4011])]
    ports: Vec<u16>,
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let (ports, range) = (arguments.ports, arguments.range);
    let written = Ports::new().dhcp(ports[0]).dhcp_client(ports[1]);
    let network = Network::on(arguments.interface, arguments.address).range(range[0], range[1]);
    let (config, problems) = Document::new()
        .state_dir(arguments.state_dir)
        .admin_listen(None)
        .ports(written.tftp(ports[2]).http(ports[3]).boot_server(ports[4]))
        .network(network)
        .check(&Host::here());

    // The machines that are done. Who wants it to last keeps it in a file, too.
    let (done, mut changed) = watch::channel(BTreeSet::<MacAddr>::new());
    let (asked, image) = (done.subscribe(), arguments.image);
    let policy = move |_: &World, machine: &Machine| {
        let is_done = machine.mac.is_none_or(|mac| asked.borrow().contains(&mac));
        (!is_done).then(|| Choice::image(image.clone(), "it has not reported yet"))
    };
    // On a boot network everybody can say so of anybody.
    let report = move |request: Request| {
        let mac = request.path.strip_prefix("/done/").map(str::parse);
        let mut response = Response::new(Body::bytes(""));
        if let (&Method::PUT, Some(Ok(mac))) = (&request.method, mac) {
            done.send_if_modified(|done| done.insert(mac));
        } else {
            *response.status_mut() = StatusCode::BAD_REQUEST;
        }
        std::future::ready(response)
    };
    let mut service = Service::builder(config.ok_or(problems)?)
        .policy(policy)
        .route("/done", report)
        .start()
        .await?;
    eprintln!("serving {}", arguments.address);
    loop {
        tokio::select! {
            Ok(()) = changed.changed() => service.policy_changed().await,
            failure = service.failed() => return Err(failure.into()),
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    service.stop().await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    if let Err(error) = serve(Arguments::parse()).await {
        eprintln!("netboot_embed: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
