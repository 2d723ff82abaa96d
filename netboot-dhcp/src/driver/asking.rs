//! Messages that wait for the boot policy.
//!
//! A policy that answers at once is asked in place, so that messages are answered in their order;
//! one that waits for something is gone on with when it has it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::caught::Caught;
use super::event::PolicyFailure;
use super::policy::BootPolicy;
use super::serving::InFlight;
use crate::HardwareAddr;
use crate::server::{Boot, Question, Transaction};
use crate::wire::MessageView;

/// Messages that wait for the policy at a time. Beyond it no further one does.
const MOST: usize = 1024;
/// Those of one machine: it may ask a few times meanwhile, and needs no more answers than that.
const MOST_OF_ONE: usize = 4;
/// How long the policy is waited for; a client asks again sooner.
const PATIENCE: Duration = Duration::from_secs(10);

/// Messages for which the policy was asked, and has not answered yet.
#[derive(Debug, Default)]
pub(super) struct Asking {
    tasks: JoinSet<Answered>,
    /// How many of each machine.
    of: BTreeMap<HardwareAddr, usize>,
}

/// What the policy said.
pub(super) struct Answered {
    pub(super) message: InFlight,
    pub(super) answer: Result<(Question, Boot), Failed>,
}

/// It said nothing.
pub(super) struct Failed {
    pub(super) transaction: Transaction,
    pub(super) failure: PolicyFailure,
}

type Asked = Caught<Option<(Question, Boot)>>;

impl Asking {
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Asks the policy about a message; what it says comes from here if it says it at once, else
    /// from [`Asking::next`].
    pub(super) fn ask<P: BootPolicy>(
        &mut self,
        policy: &Arc<P>,
        question: Question,
        packet: &[u8],
        message: InFlight,
    ) -> Option<Answered> {
        let transaction = question.transaction().clone();
        let asked = ask(Arc::clone(policy), question, packet.into());
        let mut asked = Caught::new(asked);
        let context = &mut Context::from_waker(Waker::noop());
        let failure = match Pin::new(&mut asked).poll(context) {
            Poll::Ready(Some(Some(answer))) => {
                let answer = Ok(answer);
                return Some(Answered { message, answer });
            }
            Poll::Ready(_) => PolicyFailure::Panicked,
            Poll::Pending if self.has_room(transaction.hardware) => {
                *self.of.entry(transaction.hardware).or_default() += 1;
                self.tasks.spawn(wait(asked, transaction, message));
                return None;
            }
            Poll::Pending => PolicyFailure::Busy,
        };
        Some(Answered {
            message,
            answer: Err(Failed {
                transaction,
                failure,
            }),
        })
    }

    /// Waits for the next answer. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Answered> {
        let answered = self.tasks.join_next().await?.ok()?;
        let hardware = match &answered.answer {
            Ok((question, _)) => question.hardware(),
            Err(failed) => failed.transaction.hardware,
        };
        if let Some(of_it) = self.of.get_mut(&hardware) {
            *of_it -= 1;
            if *of_it == 0 {
                self.of.remove(&hardware);
            }
        }
        Some(answered)
    }

    fn has_room(&self, hardware: HardwareAddr) -> bool {
        let of_it = self.of.get(&hardware).copied().unwrap_or_default();
        self.tasks.len() < MOST && of_it < MOST_OF_ONE
    }
}

async fn ask<P: BootPolicy>(
    policy: Arc<P>,
    question: Question,
    packet: Vec<u8>,
) -> Option<(Question, Boot)> {
    // It was read before.
    let message = MessageView::decode(&packet).ok()?;
    let boot = policy.boot(&question.requester(message)).await;
    Some((question, boot))
}

async fn wait(asked: Asked, transaction: Transaction, message: InFlight) -> Answered {
    let failure = match timeout(PATIENCE, asked).await {
        Ok(Some(Some(answer))) => {
            let answer = Ok(answer);
            return Answered { message, answer };
        }
        Ok(_) => PolicyFailure::Panicked,
        Err(_) => PolicyFailure::Late,
    };
    let answer = Err(Failed {
        transaction,
        failure,
    });
    Answered { message, answer }
}
