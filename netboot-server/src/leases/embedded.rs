//! The lease database of one server, and the one thread that writes it.
//!
//! Claims of all interfaces come to that thread. It takes whatever waits, stores it with one flush,
//! and only then says how each claim went: while one flush is under way the next batch gathers, so
//! that batches grow by themselves under load and one claim alone waits for nobody.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
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

/// What the writer is to do, and who is told how it went.
enum Job {
    Claim {
        claims: Vec<Claim>,
        told: oneshot::Sender<Vec<ClaimResult>>,
    },
    Check(oneshot::Sender<Result<(), Failure>>),
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
        let mut reported = None;
        let writer = std::thread::Builder::new()
            .name("leases".into())
            .spawn(move || write(&inbox, |jobs| store(&writes, jobs, &metrics, &mut reported)))
            .map_err(|error| {
                Failure::new("starting a thread", error, "raise the process limits")
            })?;
        Ok(Self {
            file,
            jobs: Some(jobs),
            writer: Some(writer),
        })
    }

    /// Gives the writer something to do. Nobody is told of what it does not take, or what it was at
    /// when it panicked.
    fn send(&self, job: Job) {
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
    }
}

impl LeaseStore for EmbeddedLeases {
    async fn claim(&self, claims: Vec<Claim>) -> Vec<ClaimResult> {
        let (told, stored) = oneshot::channel();
        self.send(Job::Claim { claims, told });
        stored.await.unwrap_or_default()
    }

    async fn load(&self) -> io::Result<Vec<Lease>> {
        let file = Arc::clone(&self.file);
        Ok(tokio::task::spawn_blocking(move || file.load()).await?)
    }

    /// Asks the writer, so that it is also seen whether that one runs and gets on.
    async fn check(&self) -> io::Result<()> {
        let (told, checked) = oneshot::channel();
        self.send(Job::Check(told));
        let checked = checked.await;
        checked.map_err(io::Error::other)?.map_err(io::Error::other)
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

/// Has everything stored that comes, until nobody can send any more. What panics is begun anew.
fn write(inbox: &Receiver<Job>, mut store: impl FnMut(Vec<Job>)) {
    let mut all = || {
        while let Some(jobs) = batch(inbox) {
            store(jobs);
        }
    };
    while catch_unwind(AssertUnwindSafe(&mut all)).is_err() {
        tracing::error!(
            "the thread that writes leases panicked and is begun anew; whose lease was not stored \
             asks again"
        );
    }
}

/// Whatever waits, once there is something.
fn batch(inbox: &Receiver<Job>) -> Option<Vec<Job>> {
    let mut jobs = vec![inbox.recv().ok()?];
    while jobs.iter().map(|job| job.claims().len()).sum::<usize>() < BATCH
        && let Ok(job) = inbox.try_recv()
    {
        jobs.push(job);
    }
    Some(jobs)
}

fn store(file: &LeaseFile, jobs: Vec<Job>, metrics: &Metrics, reported: &mut Option<Instant>) {
    #[expect(clippy::disallowed_methods, reason = "a disk takes real time")]
    let began = Instant::now();
    let stored = file.claim(jobs.iter().flat_map(Job::claims));
    let took = began.elapsed();
    let checked = stored.as_ref().map(|_| ()).map_err(Failure::clone);
    match &stored {
        Ok(results) if results.is_empty() => {}
        Ok(_) => metrics.leases_committed(took),
        Err(failure) => {
            if reported.is_none_or(|reported| began - reported >= PAUSE) {
                *reported = Some(began);
                tracing::error!("{failure}");
            }
        }
    }
    let mut results = stored.unwrap_or_default().into_iter();
    for job in jobs {
        // Nobody waits where the interface is served no more.
        match job {
            Job::Claim { claims, told } => {
                let _ = told.send(results.by_ref().take(claims.len()).collect());
            }
            Job::Check(told) => {
                let _ = told.send(checked.clone());
            }
        }
    }
}

impl Job {
    fn claims(&self) -> &[Claim] {
        match self {
            Self::Claim { claims, .. } => claims,
            Self::Check(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_that_panics_goes_on_with_what_comes_next() {
        let (jobs, inbox) = mpsc::channel();
        let writer = std::thread::spawn(move || {
            let mut first = true;
            write(&inbox, |jobs| {
                assert!(!std::mem::take(&mut first), "the library has a fault");
                for job in jobs {
                    if let Job::Check(told) = job {
                        told.send(Ok(())).expect("somebody waits");
                    }
                }
            });
        });
        let ask = || {
            let (told, checked) = oneshot::channel();
            jobs.send(Job::Check(told)).expect("a writer");
            checked.blocking_recv()
        };
        assert!(ask().is_err(), "nobody waits for what it was at");
        assert_eq!(ask(), Ok(Ok(())));
        drop(jobs);
        writer.join().expect("it ends in order");
    }
}
