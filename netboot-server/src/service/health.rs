//! Whether the service does what it is there for: decisions are made, sockets are read, and leases
//! can be written.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use netboot_dhcp::driver::LeaseStore;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::{Core, reload};
use crate::failure::Failure;

/// How long each part may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an answer holds, so that those who ask all the time cost nothing.
const FRESH: Duration = Duration::from_secs(2);

/// Whether a service is well. Its clones are of the same service.
#[derive(Clone)]
pub struct Health(Weak<Core>);

/// What was found at the last look.
#[derive(Debug, Default)]
pub(super) struct Looked(Mutex<Option<(Instant, Result<(), Unwell>)>>);

/// What does not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
#[non_exhaustive]
pub struct Unwell {
    /// What was tried, why it failed, and what to do.
    pub failure: Failure,
    /// Whether some part does not go on, which a restart mends. It mends no full disk, and would
    /// end every download.
    pub is_stuck: bool,
}

impl Health {
    pub(super) fn of(core: Weak<Core>) -> Self {
        Self(core)
    }

    /// Has decisions made, sockets read and the lease store written to, and says what does not
    /// work; at most every two seconds. What is found to be wrong is in the log, too.
    ///
    /// # Errors
    ///
    /// What does not work.
    pub async fn check(&self) -> Result<(), Unwell> {
        let core = self.0.upgrade().ok_or_else(|| Unwell {
            failure: reload::ended(),
            is_stuck: false,
        })?;
        let mut looked = core.looked.0.lock().await;
        if let Some((at, found)) = &*looked
            && at.elapsed() < FRESH
        {
            return found.clone();
        }
        let found = look(&core).await;
        let is_known = |unwell: &Unwell| {
            let before = looked.as_ref().map(|(_, found)| found);
            matches!(before, Some(Err(before)) if before == unwell)
        };
        match &found {
            Err(unwell) if !is_known(unwell) => tracing::error!("{unwell}"),
            _ => {}
        }
        *looked = Some((Instant::now(), found.clone()));
        found
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Health")
    }
}

async fn look(core: &Arc<Core>) -> Result<(), Unwell> {
    let asked = Arc::clone(core);
    let pings = tokio::task::spawn_blocking(move || {
        drop(asked.worlds.current());
        drop(asked.answers.dhcp.leases().lock());
        asked.listeners().pings()
    });
    let Ok(Ok(pings)) = timeout(PATIENCE, pings).await else {
        return Err(stuck("deciding what machines boot"));
    };
    for (endpoint, ping) in pings {
        if !ping.answered().await {
            return Err(stuck(format!("serving {endpoint}")));
        }
    }
    let store = core.answers.dhcp.store();
    match timeout(PATIENCE, store.check()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Unwell {
            failure: Failure::new(
                "writing leases",
                error,
                "make room on the disk, and see that it can be written",
            ),
            is_stuck: false,
        }),
        Err(_) => Err(stuck("writing leases")),
    }
}

fn stuck(what: impl Into<String>) -> Unwell {
    Unwell {
        failure: Failure::new(
            what,
            "it does not go on",
            "restart the service, and report this as a defect with the log",
        ),
        is_stuck: true,
    }
}

/// Asks a task whether it is there; it answers when it next comes round.
#[derive(Debug, Clone)]
pub(super) struct Ping(mpsc::Sender<oneshot::Sender<()>>);

/// Where a task finds who asks.
pub(super) type Pings = mpsc::Receiver<oneshot::Sender<()>>;

impl Ping {
    /// One end, and the other.
    pub(super) fn new() -> (Self, Pings) {
        let (ping, pings) = mpsc::channel(1);
        (Self(ping), pings)
    }

    /// Whether there is a task that answers in time.
    async fn answered(self) -> bool {
        let asked = async {
            let (here, answer) = oneshot::channel();
            self.0.send(here).await.is_ok() && answer.await.is_ok()
        };
        timeout(PATIENCE, asked).await.unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_stands_still_or_has_ended_answers_no_ping() {
        let (ping, mut pings) = Ping::new();
        let answers = tokio::spawn(async move {
            for _ in 0..2 {
                pings.recv().await.map(|here| here.send(()));
            }
            // From here on it looks no more.
            let _held = pings;
            std::future::pending::<()>().await;
        });
        assert!(ping.clone().answered().await);
        assert!(ping.clone().answered().await);
        assert!(!ping.clone().answered().await, "it stands still");
        answers.abort();
        assert!(!ping.answered().await, "it has ended");
    }
}
