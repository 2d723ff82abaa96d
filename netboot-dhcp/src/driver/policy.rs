//! What a machine boots, as the driver asks it.

use std::future::Future;

use crate::server::{Boot, Requester};

/// Says what a machine boots. A function of the requester is one.
///
/// It is asked while nothing is locked, for many machines at a time, of one at most four times; an
/// answer that takes longer than ten seconds is not waited for, and the client asks again. Until it
/// first waits for something it runs in the interface's own task: what blocks, a function's look
/// into a database too, belongs on a thread of its own (`tokio::task::spawn_blocking`).
///
/// ```
/// use netboot_dhcp::driver::BootPolicy;
/// use netboot_dhcp::server::{Boot, Requester};
///
/// struct Inventory;
///
/// impl BootPolicy for Inventory {
///     async fn boot(&self, requester: &Requester<'_>) -> Boot {
///         // Here a database is asked.
///         let known = requester.mac().is_some();
///         if known { Boot::file("ipxe.efi") } else { Boot::silent() }
///     }
/// }
/// ```
pub trait BootPolicy: Send + Sync + 'static {
    /// What this machine boots.
    fn boot(&self, requester: &Requester<'_>) -> impl Future<Output = Boot> + Send;
}

impl<F> BootPolicy for F
where
    F: Fn(&Requester<'_>) -> Boot + Send + Sync + 'static,
{
    fn boot(&self, requester: &Requester<'_>) -> impl Future<Output = Boot> + Send {
        std::future::ready(self(requester))
    }
}
