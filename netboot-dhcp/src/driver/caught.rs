//! A policy or a store that panics costs what it was asked, and nothing else.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future that gives `None` where it panics; it is not to be polled again then.
pub(super) struct Caught<T>(Pin<Box<dyn Future<Output = T> + Send>>);

impl<T> Caught<T> {
    pub(super) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Box::pin(future))
    }
}

impl<T> Future for Caught<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(context)));
        match polled {
            Ok(ready) => ready.map(Some),
            Err(_) => Poll::Ready(None),
        }
    }
}
