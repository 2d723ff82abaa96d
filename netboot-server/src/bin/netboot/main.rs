//! The `netboot` command: what can be asked of it, and what each of it does.

mod anonymous;
mod bar;
mod boots;
mod check;
mod control;
mod demo;
mod doctor;
mod events;
mod examples;
mod explain;
mod image;
mod leases;
mod lines;
mod links;
mod machine;
mod manual;
mod menu;
mod nix;
mod probe;
mod process;
mod reload;
mod serve;
mod simulated;
mod status;
mod systemd;
mod table;
mod time;
mod why;

use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::task::Poll;

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

use netboot_server::Failure;
use netboot_server::config::{self, Config, Flags, Host, Problems};
use process::Reads;

/// Boots machines from the network: DHCP, TFTP, iPXE scripts and HTTP from one boot policy.
#[derive(Debug, Parser)]
#[command(name = "netboot", version, after_help = examples::NETBOOT)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run DHCP, TFTP and HTTP until interrupted
    #[command(after_help = examples::SERVE)]
    Serve(serve::Arguments),
    /// Say what is wrong with the configuration, all of it at once
    #[command(after_help = examples::CHECK)]
    Check {
        #[command(flatten)]
        at: Where,
        /// Print the configuration in its normal form, with everything derived
        #[arg(long)]
        print: bool,
        /// Look at nothing of this host: its interfaces, certificate, images and boot programs
        #[arg(long)]
        for_another_host: bool,
    },
    /// Add, generate, list, verify, sign and remove images
    #[command(subcommand, after_help = examples::IMAGE)]
    Image(image::Action),
    /// Print the boot script as clients get it
    #[command(after_help = examples::MENU)]
    Menu {
        #[command(flatten)]
        at: Where,
        /// The machine whose script it is; without it, the menu
        #[arg(long)]
        mac: Option<netboot_dhcp::MacAddr>,
        /// Write the menu to configs/boot.ipxe in the state folder, too
        #[arg(long, conflicts_with = "mac")]
        update: bool,
    },
    /// Say what a machine would get at each stage of its boot, and why
    #[command(after_help = examples::EXPLAIN)]
    Explain {
        #[command(flatten)]
        machine: explain::Arguments,
        #[command(flatten)]
        at: Where,
    },
    /// Look for what stands in the way: interfaces, ports, firewall, disk, images, other servers
    #[command(after_help = examples::DOCTOR)]
    Doctor(doctor::Arguments),
    /// List the leases, end one, or take those of dnsmasq
    #[command(after_help = examples::LEASES)]
    Leases(leases::Arguments),
    /// Show what the server does now: services, addresses, downloads, last boots
    #[command(after_help = examples::STATUS)]
    Status(status::Arguments),
    /// Show each step of each boot, as the log has it
    #[command(after_help = examples::EVENTS)]
    Events(events::Arguments),
    /// List boots, what became of each, and why
    #[command(after_help = examples::BOOTS)]
    Boots(boots::Arguments),
    /// Say why a machine did not boot, what happened, and what to do
    #[command(after_help = examples::WHY)]
    Why(why::Arguments),
    /// Have the server take its configuration anew, whole or not at all
    #[command(after_help = examples::RELOAD)]
    Reload(Where),
    /// Boot a simulated machine against a server that runs, and say what it would boot
    #[command(after_help = examples::PROBE)]
    Probe(probe::Arguments),
    /// Say that a machine is installed, or is to be installed again
    #[command(after_help = examples::MACHINE)]
    Machine {
        /// The target's name
        name: String,
        /// What is said of it
        word: machine::Word,
        #[command(flatten)]
        at: Where,
    },
    /// Go through the whole chain on this machine
    #[command(after_help = examples::DEMO)]
    Demo(demo::Arguments),
    /// Print what a shell completes this command by
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, for `man -l`
    #[command(after_help = examples::MAN)]
    Man {
        /// Write one page for each command into this folder instead
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// Where the configuration and the state are.
#[derive(Debug, Clone, Default, Args)]
struct Where {
    /// A configuration file, JSON or TOML by its ending; a later one is laid over the first
    /// [default: /etc/netboot/netboot.toml, then .json]
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// The folder of images, boot programs and leases [default: /var/lib/netboot]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl Where {
    fn flags(&self) -> Flags {
        Flags {
            state_dir: self.state_dir.clone(),
        }
    }

    fn load(&self) -> (Option<Config>, Problems) {
        self.load_for(&Host::here())
    }

    fn load_for(&self, host: &Host) -> (Option<Config>, Problems) {
        config::load(&self.config, &self.flags(), host)
    }

    /// The configuration; what is wrong with it has been said on standard error. From now on files
    /// are opened as the owner of the state folder.
    fn load_or_say(&self) -> Result<Config, ExitCode> {
        let (config, problems) = self.load();
        say(&problems);
        let config = config.ok_or(ExitCode::FAILURE)?;
        enter(&config.state_dir, Reads::NothingElse)?;
        Ok(config)
    }

    /// The state folder; what is wrong with the configuration has been said on standard error. From
    /// now on files are opened as its owner.
    fn state_dir_or_say(&self, reads: Reads) -> Result<PathBuf, ExitCode> {
        let (dir, problems) = config::state_dir(&self.config, &self.flags());
        if dir.is_none() {
            say(&problems);
        }
        let dir = dir.ok_or(ExitCode::FAILURE)?;
        enter(&dir, reads)?;
        Ok(dir)
    }
}

/// As [`process::enter`]; what is in the way has been said on standard error.
fn enter(state_dir: &Path, reads: Reads) -> Result<(), ExitCode> {
    process::enter(state_dir, reads).map_err(|failure| {
        say(format_args!("netboot: {failure}\n"));
        ExitCode::FAILURE
    })
}

/// Now, by the host's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "a command runs in the host's time"
)]
fn host_time() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

fn main() -> ExitCode {
    let done = match Arguments::parse_from(links::written_out(std::env::args_os())).action {
        Action::Serve(arguments) => serve::run(&arguments),
        Action::Check {
            at,
            print,
            for_another_host,
        } => check::run(&at, print, for_another_host),
        Action::Image(action) => image::run(&action),
        Action::Explain { machine, at } => explain::run(&at, machine),
        Action::Leases(arguments) => leases::run(&arguments),
        Action::Menu { at, mac, update } => menu::run(&at, mac, update),
        Action::Doctor(arguments) => doctor::run(&arguments),
        Action::Status(arguments) => status::run(&arguments),
        Action::Events(arguments) => events::run(&arguments),
        Action::Boots(arguments) => boots::run(&arguments),
        Action::Why(arguments) => why::run(&arguments),
        Action::Reload(at) => reload::run(&at),
        Action::Probe(arguments) => probe::run(&arguments),
        Action::Machine { name, word, at } => machine::run(&at, &name, word),
        Action::Demo(arguments) => demo::run(&arguments),
        Action::Completions { shell } => manual::completions(shell),
        Action::Man { dir } => manual::man(dir.as_deref()),
    };
    done.unwrap_or_else(|failure| {
        say(format_args!("netboot: {failure}\n"));
        ExitCode::FAILURE
    })
}

/// Writes to standard output. Where nobody reads on, as behind `| head`, that is no failure.
pub(crate) fn out(text: impl fmt::Display) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    let written = write!(output, "{text}").and_then(|()| output.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::new(
            "writing to standard output",
            error,
            "make room there, or send it elsewhere",
        )),
        _ => Ok(()),
    }
}

/// Writes to standard error, where there may be nobody to read it.
fn say(text: impl fmt::Display) {
    let _ = write!(std::io::stderr(), "{text}");
}

/// Ctrl-C and SIGTERM, which tell this process to end; caught for as long as this is there.
#[derive(Debug)]
pub(crate) struct EndSignals(Vec<Signal>);

impl EndSignals {
    /// Needs a runtime.
    pub(crate) fn listen() -> Self {
        let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        // One that cannot be caught ends the process as it always did.
        Self(signals.into_iter().flatten().collect())
    }

    /// Comes when it was told, each time again. Cancel-safe.
    pub(crate) async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut signals = self.0.iter_mut();
            let told = signals.any(|signal| signal.poll_recv(context).is_ready());
            if told { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Comes when this process is told to end; that is caught from the call on. Needs a runtime.
pub(crate) fn told_to_end() -> impl Future<Output = ()> {
    let mut end_signals = EndSignals::listen();
    async move { end_signals.next().await }
}

/// The runtime that everything waits on.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // What becomes ready at once fits a worker's own queue; the rest would go by the shared
        // one.
        .max_io_events_per_tick(128)
        .build()
        .map_err(|error| Failure::new("starting threads", error, "raise the process limits"))
}
