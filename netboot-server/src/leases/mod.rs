//! Leases on disk, and the one thread that writes them.
//!
//! Claims of all interfaces come to that thread. It takes whatever waits, stores it with one flush,
//! and only then says how each claim went: while one flush is under way the next batch gathers, so
//! that batches grow by themselves under load and one claim alone waits for nobody.

pub mod clock;
mod dnsmasq;
mod file;
mod kept_clock;
mod listed;
pub mod offline;
mod storage;
mod table;

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use netboot_dhcp::Timestamp;
use netboot_dhcp::driver;
use netboot_dhcp::server::{Claim, ClaimResult, Lease};
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::telemetry::metrics::Metrics;
pub(crate) use file::{Beginning, LeaseFile};
pub use listed::{Listed, state};
pub(crate) use table::LeaseTable;

/// Claims that go into one flush; more than that waits for the next.
const BATCH: usize = 4096;
/// A store that is down says so at most this often.
const PAUSE: Duration = Duration::from_secs(10);

/// The lease database with its writer. Dropping it waits for the claims under way.
#[derive(Debug)]
pub(crate) struct LeaseStore {
    file: Arc<LeaseFile>,
    jobs: Mutex<Option<Sender<Job>>>,
    writer: Option<JoinHandle<()>>,
}

/// Claims, and who is told how they went.
struct Job {
    claims: Vec<Claim>,
    then: Box<dyn FnOnce(Vec<ClaimResult>) + Send>,
}

impl LeaseStore {
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
            jobs: Mutex::new(Some(jobs)),
            writer: Some(writer),
        })
    }

    /// When the database was begun: leases from before that are not in it.
    pub(crate) fn begun(&self) -> Timestamp {
        self.file.begun()
    }

    /// Every lease that is stored.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub(crate) fn load(&self) -> Result<Vec<Lease>, Failure> {
        self.file.load()
    }

    /// Stores claims, and says how each went when that is on the disk. `then` runs on the writer's
    /// thread.
    fn submit(&self, claims: Vec<Claim>, then: impl FnOnce(Vec<ClaimResult>) + Send + 'static) {
        let then = Box::new(then);
        let job = Job { claims, then };
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = match jobs.as_ref() {
            Some(jobs) => jobs.send(job).err().map(|unsent| unsent.0),
            None => Some(job),
        };
        drop(jobs);
        if let Some(job) = refused {
            job.fail();
        }
    }

    /// Stores claims, and says how each went when that is on the disk. Blocks.
    pub(crate) fn claim_now(&self, claims: Vec<Claim>) -> Vec<ClaimResult> {
        let (told, stored) = mpsc::sync_channel(1);
        self.submit(claims, move |results| {
            let _ = told.send(results);
        });
        // The writer answers every job.
        stored.recv().unwrap_or_default()
    }
}

impl driver::LeaseStore for LeaseStore {
    async fn claim(&self, claims: Vec<Claim>) -> Vec<ClaimResult> {
        let (told, stored) = oneshot::channel();
        self.submit(claims, move |results| {
            // Nobody waits where the interface is served no more.
            let _ = told.send(results);
        });
        // The writer answers every job.
        stored.await.unwrap_or_default()
    }
}

impl Drop for LeaseStore {
    fn drop(&mut self) {
        let jobs = self.jobs.get_mut().unwrap_or_else(PoisonError::into_inner);
        jobs.take();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Job {
    fn fail(self) {
        let results = self.claims.iter().map(|_| ClaimResult::Down).collect();
        (self.then)(results);
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
                    (job.then)(own);
                }
            }
            Err(failure) => {
                if told.is_none_or(|told| began - told >= PAUSE) {
                    told = Some(began);
                    tracing::error!("{failure}");
                }
                jobs.into_iter().for_each(Job::fail);
            }
        }
    }
}
