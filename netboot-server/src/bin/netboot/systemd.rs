//! What the service manager is told, where one listens: `sd_notify(3)`.

use std::time::Duration;

use sd_notify::{NotifyState, notify};
use tokio::time::{MissedTickBehavior, interval};

use netboot_server::{Health, Service};

/// Tells the service manager that the service goes on, as often as it wants to hear it and as long
/// as it is so; ends where it does not want to. Leases that cannot be written are no reason to be
/// started anew: on a full disk that would end every download, and come to the same.
pub(super) async fn keep_watchdog(health: Health) {
    let Some(within) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut ticks = interval((within / 2).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let found = health.check().await;
        if !found.is_err_and(|unwell| unwell.is_stuck) {
            send(&[NotifyState::Watchdog]);
        }
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
