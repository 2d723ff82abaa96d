//! What listens now, and the change from one configuration's endpoints to another's.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use netboot_dhcp::driver::LinkChanges;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::endpoint::{BindError, Bound, Endpoint};
use super::health::{Ping, Pings};
use super::shares::Shares;
use super::threads::Threads;
use super::{Answers, Inherited};
use crate::config::Config;
use crate::failure::Failure;

/// How often an endpoint is tried again that waits for something else than an interface or address.
const WAIT: Duration = Duration::from_secs(1);

/// The endpoints that run, each a task of its own.
#[derive(Debug)]
pub(crate) struct Listeners {
    running: BTreeMap<Endpoint, Running>,
    threads: Threads,
    tasks: TaskTracker,
    stop: CancellationToken,
    failing: mpsc::Sender<Failure>,
    inherited: Arc<Inherited>,
}

#[derive(Debug)]
struct Running {
    stop: CancellationToken,
    listening: Arc<AtomicBool>,
    ping: Ping,
}

/// Endpoints that are bound, or waited for, and do not serve yet.
pub(super) type Prepared = Vec<(Endpoint, Option<Bound>)>;

impl Listeners {
    /// None yet. Their tasks are on `threads` and in `tasks`, and end when `stop` is cancelled; one
    /// that turns out to be impossible later tells `failing`.
    pub(super) fn new(
        threads: Threads,
        tasks: TaskTracker,
        stop: CancellationToken,
        failing: mpsc::Sender<Failure>,
        inherited: Inherited,
    ) -> Self {
        Self {
            running: BTreeMap::new(),
            threads,
            tasks,
            stop,
            failing,
            inherited: Arc::new(inherited),
        }
    }

    /// What a configuration wants to listen.
    pub(super) fn wanted(&self, config: &Config) -> BTreeSet<Endpoint> {
        Endpoint::wanted(config, &self.inherited)
    }

    /// Each endpoint, and whether it listens or is waited for.
    pub(crate) fn states(&self) -> impl Iterator<Item = (&Endpoint, bool)> {
        self.running
            .iter()
            .map(|(endpoint, running)| (endpoint, running.listening.load(Ordering::Relaxed)))
    }

    /// Each endpoint that listens, and how to ask whether its task is there.
    pub(super) fn pings(&self) -> Vec<(String, Ping)> {
        let listening = self.running.iter();
        listening
            .filter(|(_, running)| running.listening.load(Ordering::Relaxed))
            .map(|(endpoint, running)| (endpoint.to_string(), running.ping.clone()))
            .collect()
    }

    /// Binds those that are wanted and do not run. Nothing has changed where one of them cannot be.
    pub(super) fn prepare(
        &self,
        wanted: &BTreeSet<Endpoint>,
        with: &Answers,
    ) -> Result<Prepared, Failure> {
        let shares = shares(wanted, with);
        let new = wanted.iter().filter(|one| !self.running.contains_key(one));
        new.map(|endpoint| {
            // A socket belongs to the runtime that it is bound on.
            let _entered = self.threads.of(endpoint).enter();
            match endpoint.bind(with, shares, &self.inherited) {
                Ok(bound) => Ok((endpoint.clone(), Some(bound))),
                Err(BindError::NotYet(why)) => {
                    tracing::warn!("{endpoint}: {why}: waiting for it");
                    Ok((endpoint.clone(), None))
                }
                Err(BindError::Failed(failure)) => Err(failure),
            }
        })
        .collect()
    }

    /// Ends those that are wanted no more, and lets those that were prepared serve.
    pub(super) fn switch(
        &mut self,
        wanted: &BTreeSet<Endpoint>,
        prepared: Prepared,
        with: &Answers,
    ) {
        self.running.retain(|endpoint, running| {
            let stays = wanted.contains(endpoint);
            if !stays {
                tracing::info!("{endpoint}: closed");
                running.stop.cancel();
            }
            stays
        });
        let shares = shares(wanted, with);
        for (endpoint, bound) in prepared {
            let (ping, pings) = Ping::new();
            let running = Running {
                stop: self.stop.child_token(),
                ping,
                listening: Arc::new(AtomicBool::new(bound.is_some())),
            };
            let task = Task {
                endpoint: endpoint.clone(),
                with: with.clone(),
                shares,
                inherited: Arc::clone(&self.inherited),
                stop: running.stop.clone(),
                listening: Arc::clone(&running.listening),
            };
            let failing = self.failing.clone();
            let serving = async move {
                if let Err(failure) = task.run(bound, pings).await {
                    // One failure is enough to end the service.
                    let _ = failing.try_send(failure);
                }
            };
            self.tasks.spawn_on(serving, self.threads.of(&endpoint));
            self.running.insert(endpoint, running);
        }
    }
}

/// What each of these may have at once.
fn shares(endpoints: &BTreeSet<Endpoint>, with: &Answers) -> Shares {
    let world = with.files.worlds().recent();
    Shares::now(endpoints, world.config().tftp.max_transfers)
}

struct Task {
    endpoint: Endpoint,
    with: Answers,
    shares: Shares,
    inherited: Arc<Inherited>,
    stop: CancellationToken,
    listening: Arc<AtomicBool>,
}

impl Task {
    /// Serves, and waits for what it needs as often as that goes away, until told to stop.
    async fn run(self, mut first: Option<Bound>, mut pings: Pings) -> Result<(), Failure> {
        let endpoint = &self.endpoint;
        loop {
            let bound = match first.take() {
                Some(bound) => bound,
                None => match self.wait().await? {
                    Some(bound) => bound,
                    None => return Ok(()),
                },
            };
            tracing::info!("{endpoint}: {}", endpoint.state());
            self.listening.store(true, Ordering::Relaxed);
            let served = bound.serve(self.with.clone(), self.shares, self.stop.clone());
            let mut served = pin!(served);
            loop {
                tokio::select! {
                    () = &mut served => break,
                    // As the task comes round, it looks at its sockets, too.
                    Some(here) = pings.recv() => drop(here.send(())),
                }
            }
            self.listening.store(false, Ordering::Relaxed);
            if self.stop.is_cancelled() {
                return Ok(());
            }
            tracing::warn!("{endpoint}: is gone: waiting for it");
        }
    }

    /// Tries again until it can be bound; `None` where it is told to stop first.
    async fn wait(&self) -> Result<Option<Bound>, Failure> {
        let changes = LinkChanges::open();
        loop {
            match self.endpoint.bind(&self.with, self.shares, &self.inherited) {
                Ok(bound) => return Ok(Some(bound)),
                Err(BindError::NotYet(_)) => {}
                Err(BindError::Failed(failure)) => return Err(failure),
            }
            let wait = async {
                match &changes {
                    Ok(changes) if self.endpoint.waits_for_link() => changes.next().await,
                    _ => tokio::time::sleep(WAIT).await,
                }
            };
            if self.stop.run_until_cancelled(wait).await.is_none() {
                return Ok(None);
            }
        }
    }
}
