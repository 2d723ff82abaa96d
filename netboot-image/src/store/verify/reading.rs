//! Reading the files of a verification, several at a time.

use std::io;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::{Damage, Job, Plan, Report, Verifying};
use crate::store::StoreError;
use crate::store::read::open_regular;
use crate::{CopyError, copy};

type Callback<'a> = dyn Fn(Verifying<'_>) -> ControlFlow<()> + Sync + 'a;

/// What reading one file came to.
struct Outcome {
    plan: usize,
    job: usize,
    bytes: u64,
    damage: Option<Damage>,
}

/// Reads the files of all plans on as many threads as there are processors, and completes the
/// reports.
pub(super) fn run(plans: Vec<Plan>, progress: &Callback<'_>) -> Result<Vec<Report>, StoreError> {
    let queue: Vec<(usize, usize)> = plans
        .iter()
        .enumerate()
        .flat_map(|(plan, it)| (0..it.jobs.len()).map(move |job| (plan, job)))
        .collect();
    let total = plans
        .iter()
        .flat_map(|plan| &plan.jobs)
        .map(|job| job.size)
        .sum();
    let (next, files_done, done, cancelled) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicU64::new(0),
        AtomicBool::new(false),
    );
    let work = || {
        let mut outcomes = Vec::new();
        while let Some(&(plan, job)) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Some(it) = plans.get(plan) else { break };
            let Some(todo) = it.jobs.get(job) else { break };
            let read = read(todo, &mut |bytes| {
                let done = done
                    .fetch_add(bytes, Ordering::Relaxed)
                    .saturating_add(bytes);
                let at = Verifying {
                    image: &it.report.name,
                    file: &todo.file,
                    done,
                    total,
                    files_done: files_done.load(Ordering::Relaxed),
                    files: queue.len(),
                };
                if progress(at).is_break() {
                    cancelled.store(true, Ordering::Relaxed);
                }
                if cancelled.load(Ordering::Relaxed) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            let Some((bytes, damage)) = read else { break };
            files_done.fetch_add(1, Ordering::Relaxed);
            outcomes.push(Outcome {
                plan,
                job,
                bytes,
                damage,
            });
        }
        outcomes
    };
    let threads = std::thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(queue.len())
        .max(1);
    let mut outcomes = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut outcomes = work();
        for other in others {
            match other.join() {
                Ok(more) => outcomes.extend(more),
                // The caller's own callback panicked there; go on with that here.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        outcomes
    });
    if cancelled.into_inner() {
        return Err(StoreError::Cancelled);
    }
    outcomes.sort_by_key(|outcome| (outcome.plan, outcome.job));
    let mut reports: Vec<Report> = plans.into_iter().map(|plan| plan.report).collect();
    for outcome in outcomes {
        if let Some(report) = reports.get_mut(outcome.plan) {
            report.files += 1;
            report.bytes = report.bytes.saturating_add(outcome.bytes);
            report.damage.extend(outcome.damage);
        }
    }
    Ok(reports)
}

/// Reads one file and tells how many bytes it had and what is wrong with it; nothing when
/// `progress` broke.
fn read(
    job: &Job,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Option<(u64, Option<Damage>)> {
    let missing = || Damage::Missing {
        file: job.file.clone(),
        expected: job.expected,
    };
    let file = match open_regular(&job.path) {
        Ok(file) => file,
        Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Some((0, Some(missing())));
        }
        Err(error) => return Some((0, Some(Damage::Unreadable(error)))),
    };
    let mut before = 0;
    let copied = copy(file, io::sink(), |done| {
        let bytes = done - before;
        before = done;
        progress(bytes)
    });
    match copied {
        Ok((found, bytes)) if found == job.expected => Some((bytes, None)),
        Ok((found, bytes)) => Some((
            bytes,
            Some(Damage::Changed {
                file: job.file.clone(),
                expected: job.expected,
                found,
            }),
        )),
        Err(CopyError::Cancelled { .. }) => None,
        Err(CopyError::Read { at, source } | CopyError::Write { at, source }) => Some((
            at,
            Some(Damage::Unreadable(StoreError::io(
                "read", &job.path, source,
            ))),
        )),
    }
}
