//! The lease database of one server, and the one thread that writes it.
//!
//! Claims of all interfaces come to that thread. It takes whatever waits, stores it with one flush,
//! and only then says how each claim went: while one flush is under way the next batch gathers, so
//! that batches grow by themselves under load and one claim alone waits for nobody.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use netboot_dhcp::driver::LeaseStore;
use netboot_dhcp::server::{Claim, ClaimResult, Lease};
use tokio::sync::oneshot;

use super::file::LeaseFile;
use crate::failure::Failure;
use crate::telemetry::metrics::Metrics;

/// Claims that go into one flush; more than that waits for the next.
const BATCH: usize = 4096;
/// A store that is down says so at most this often.
const PAUSE: Duration = Duration::from_secs(10);

/// The lease database with its writer. Dropping it waits for the claims under way.
#[derive(Debug)]
pub(crate) struct EmbeddedLeases {
    file: Arc<LeaseFile>,
    /// Taken where the writer is to end.
    jobs: Option<Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

/// Claims, and who is told how they went.
struct Job {
    claims: Vec<Claim>,
    told: oneshot::Sender<Vec<ClaimResult>>,
}

impl EmbeddedLeases {
    /// Starts the writer.
    ///
    /// # Errors
    ///
    /// Where no thread can be started.
    pub(crate) fn new(file: LeaseFile, metrics: Arc<Metrics>) -> Result<Self, Failure> {
        let file = Arc::new(file);
        let (jobs, inbox) = mpsc::channel();
        let writes = Arc::clone(&file);
        let writer = std::thread::Builder::new()
            .name("leases".into())
            .spawn(move || write(&writes, &inbox, &metrics))
            .map_err(|error| {
                Failure::new("starting a thread", error, "raise the process limits")
            })?;
        Ok(Self {
            file,
            jobs: Some(jobs),
            writer: Some(writer),
        })
    }
}

impl LeaseStore for EmbeddedLeases {
    async fn claim(&self, claims: Vec<Claim>) -> Vec<ClaimResult> {
        let (told, stored) = oneshot::channel();
        // A job that nobody takes is one that failed.
        let job = Job { claims, told };
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
        stored.await.unwrap_or_default()
    }

    async fn load(&self) -> io::Result<Vec<Lease>> {
        let file = Arc::clone(&self.file);
        let read = tokio::task::spawn_blocking(move || file.load()).await?;
        read.map_err(io::Error::other)
    }
}

impl Drop for EmbeddedLeases {
    fn drop(&mut self) {
        self.jobs.take();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn write(file: &LeaseFile, inbox: &Receiver<Job>, metrics: &Metrics) {
    let mut told: Option<Instant> = None;
    while let Ok(first) = inbox.recv() {
        let mut claims = first.claims.len();
        let mut jobs = vec![first];
        while claims < BATCH
            && let Ok(job) = inbox.try_recv()
        {
            claims += job.claims.len();
            jobs.push(job);
        }
        let all = jobs.iter().flat_map(|job| &job.claims);
        #[expect(clippy::disallowed_methods, reason = "a disk takes real time")]
        let began = Instant::now();
        let stored = file.claim(all);
        let took = began.elapsed();
        match stored {
            Ok(results) => {
                metrics.leases_committed(took);
                let mut results = results.into_iter();
                for job in jobs {
                    let own = results.by_ref().take(job.claims.len()).collect();
                    // Nobody waits where the interface is served no more.
                    let _ = job.told.send(own);
                }
            }
            Err(failure) => {
                if told.is_none_or(|told| began - told >= PAUSE) {
                    told = Some(began);
                    tracing::error!("{failure}");
                }
            }
        }
    }
}
