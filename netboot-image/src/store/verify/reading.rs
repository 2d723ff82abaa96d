//! Reading the files of a verification, several at a time.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::{Damage, Job, Plan, Report, Verifying};
use crate::store::StoreError;
use crate::store::read::open_regular;
use crate::{CopyError, Digest, copy};

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
    let queue = each_file_once(&plans);
    let total = queue
        .iter()
        .filter_map(|jobs| Some(jobs.first()?.2.size))
        .sum();
    let (next, files_done, done, cancelled) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicU64::new(0),
        AtomicBool::new(false),
    );
    let work = || {
        let mut outcomes = Vec::new();
        while let Some(jobs) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut read: Option<(Digest, u64)> = None;
            for &(plan, job, todo) in jobs {
                let image = plans.get(plan).map_or("", |plan| &plan.report.name);
                let found = match read {
                    Some(read) => Ok(read),
                    None => digest_of(todo, &mut |bytes| {
                        let done = done
                            .fetch_add(bytes, Ordering::Relaxed)
                            .saturating_add(bytes);
                        let at = Verifying {
                            image,
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
                    }),
                };
                let (bytes, damage) = match found {
                    Ok((found, bytes)) => {
                        read = Some((found, bytes));
                        (bytes, todo.damage(found))
                    }
                    Err(Some((bytes, damage))) => (bytes, Some(damage)),
                    Err(None) => return outcomes,
                };
                outcomes.push(Outcome {
                    plan,
                    job,
                    bytes,
                    damage,
                });
            }
            files_done.fetch_add(1, Ordering::Relaxed);
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

/// The jobs of all plans with their places, those of one file together: generations share files.
fn each_file_once(plans: &[Plan]) -> Vec<Vec<(usize, usize, &Job)>> {
    let mut queue: Vec<Vec<_>> = Vec::new();
    let mut known = HashMap::new();
    for (plan, of) in plans.iter().enumerate() {
        for (job, todo) in of.jobs.iter().enumerate() {
            let file = fs::symlink_metadata(&todo.path);
            let file = file.ok().map(|found| (found.dev(), found.ino()));
            let at = match file {
                Some(file) => *known.entry(file).or_insert(queue.len()),
                None => queue.len(),
            };
            match queue.get_mut(at) {
                Some(jobs) => jobs.push((plan, job, todo)),
                None => queue.push(vec![(plan, job, todo)]),
            }
        }
    }
    queue
}

impl Job {
    /// What is wrong with a file of this digest.
    fn damage(&self, found: Digest) -> Option<Damage> {
        (found != self.expected).then(|| Damage::Changed {
            file: self.file.clone(),
            expected: self.expected,
            found,
        })
    }
}

/// Reads one file and tells its digest and how many bytes it has; else how many could be read and
/// what is wrong with it, nothing where `progress` broke.
fn digest_of(
    job: &Job,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<(Digest, u64), Option<(u64, Damage)>> {
    let file = open_regular(&job.path).map_err(|error| {
        let is_missing = matches!(&error, StoreError::Io { source, .. }
            if source.kind() == io::ErrorKind::NotFound);
        let damage = match is_missing {
            true => Damage::Missing {
                file: job.file.clone(),
                expected: job.expected,
            },
            false => Damage::Unreadable(error),
        };
        Some((0, damage))
    })?;
    let mut before = 0;
    let copied = copy(file, io::sink(), |done| {
        let bytes = done - before;
        before = done;
        progress(bytes)
    });
    copied.map_err(|error| match error {
        CopyError::Cancelled { .. } => None,
        CopyError::Read { at, source } | CopyError::Write { at, source } => {
            let error = StoreError::io("read", &job.path, source);
            Some((at, Damage::Unreadable(error)))
        }
    })
}
