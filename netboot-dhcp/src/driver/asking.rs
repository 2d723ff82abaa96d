//! Messages that wait for the boot policy.
//!
//! A policy that answers at once is asked in place, so that messages are answered in their order;
//! one that waits for something is gone on with when it has it.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::policy::BootPolicy;
use super::serving::InFlight;
use crate::server::{Boot, Question, Transaction};
use crate::wire::MessageView;

/// Messages that wait for the policy at a time. Beyond it nothing is read.
const MOST: usize = 1024;
/// How long the policy is waited for; a client asks again sooner.
const PATIENCE: Duration = Duration::from_secs(10);

/// Messages for which the policy was asked, and has not answered yet.
#[derive(Debug, Default)]
pub(super) struct Asking(JoinSet<Answered>);

/// What the policy said.
pub(super) struct Answered {
    pub(super) message: InFlight,
    pub(super) answer: Result<(Question, Boot), Late>,
}

/// It said nothing in time.
pub(super) struct Late(pub(super) Transaction);

impl Asking {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.0.len() < MOST
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
        let mut asked = Box::pin(ask(Arc::clone(policy), question, packet.into()));
        let context = &mut Context::from_waker(Waker::noop());
        if let Poll::Ready(answer) = asked.as_mut().poll(context) {
            let answer = answer.ok_or(Late(transaction));
            return Some(Answered { message, answer });
        }
        self.0.spawn(async move {
            let answer = timeout(PATIENCE, asked).await.ok().flatten();
            let answer = answer.ok_or(Late(transaction));
            Answered { message, answer }
        });
        None
    }

    /// Waits for the next answer. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Answered> {
        // A policy that panics has said so; its client asks again.
        self.0.join_next().await?.ok()
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
