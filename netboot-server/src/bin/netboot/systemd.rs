//! What the service manager is told, where one listens: `sd_notify(3)`.

use std::time::Duration;

use sd_notify::{NotifyState, notify};
use tokio::time::{Interval, MissedTickBehavior, interval};

use netboot_server::Service;

/// The watchdog, where the service manager wants to hear from this process.
#[derive(Debug)]
pub(super) struct Watchdog(Option<Interval>);

impl Watchdog {
    /// Needs a runtime.
    pub(super) fn new() -> Self {
        Self(sd_notify::watchdog_enabled().map(|within| {
            let mut ticks = interval((within / 2).max(Duration::from_millis(1)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        }))
    }

    /// Comes when it is time to tell; never where nobody wants to hear. Cancel-safe.
    pub(super) async fn due(&mut self) {
        match &mut self.0 {
            Some(ticks) => drop(ticks.tick().await),
            None => std::future::pending().await,
        }
    }

    /// Tells that the service is alive, once it has shown that it is.
    pub(super) async fn tell(&self, service: &Service) {
        service.alive().await;
        send(&[NotifyState::Watchdog]);
    }
}

/// Tells that the service runs, and what listens.
pub(super) fn ready(service: &Service) {
    let status = status(service);
    send(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// Tells that the configuration is read again; [`ready`] ends it.
pub(super) fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        send(&[NotifyState::Reloading, now]);
    }
}

/// Tells that the service ends.
pub(super) fn stopping() {
    send(&[
        NotifyState::Stopping,
        NotifyState::Status("lets downloads finish"),
    ]);
}

fn status(service: &Service) -> String {
    let endpoints = service.endpoints().into_iter();
    let said = endpoints.map(|(endpoint, listens)| {
        if listens {
            endpoint
        } else {
            format!("{endpoint} (waiting for it)")
        }
    });
    said.collect::<Vec<_>>().join(", ")
}

fn send(state: &[NotifyState<'_>]) {
    if let Err(error) = notify(state) {
        tracing::debug!("telling the service manager: {error}");
    }
}
