//! One address of a pool: its lease, and for whom it is kept back.

use crate::Timestamp;
use crate::server::{ClientKey, Lease, LeaseState};
use alloc::{boxed::Box, string::String};

#[derive(Clone, Debug, Default)]
pub(super) struct Slot {
    /// In a box, so that an address that was only ever offered takes little memory.
    pub(super) lease: Option<Box<Lease>>,
    pub(super) hold: Option<Hold>,
    /// Whether nobody was found to have the address that the lease says was declined.
    pub(super) refuted: bool,
}

/// An address kept back: for the client it is offered to, or from everybody.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    pub(super) client: Option<ClientKey>,
    /// As that of a lease.
    pub(super) claimed_identity: Option<String>,
    /// The address whose lease the client leaves where it takes this one.
    pub(super) leaves: Option<u32>,
    pub(super) until: Timestamp,
}

impl Slot {
    /// When neither lease nor hold is in the way.
    pub(super) fn free_at(&self) -> Timestamp {
        let lease = self.lease_that_counts().map(|lease| lease.expires);
        lease.max(self.held_until()).unwrap_or_default()
    }

    pub(super) fn held_until(&self) -> Option<Timestamp> {
        self.hold.as_ref().map(|hold| hold.until)
    }

    pub(super) fn is_free_for(&self, client: &ClientKey, now: Timestamp) -> bool {
        let held = self
            .hold
            .as_ref()
            .is_some_and(|hold| hold.until > now && hold.client.as_ref() != Some(client));
        let leased = self.lease_that_counts().is_some_and(|lease| {
            lease.expires > now && !(lease.state == LeaseState::Bound && lease.client == *client)
        });
        !held && !leased
    }

    fn lease_that_counts(&self) -> Option<&Lease> {
        self.lease.as_deref().filter(|_| !self.refuted)
    }

    pub(super) fn is_in_quarantine(&self, now: Timestamp) -> bool {
        let hold = self.hold.as_ref();
        let lease = self.lease_that_counts();
        hold.is_some_and(|hold| hold.client.is_none() && hold.until > now)
            || lease.is_some_and(|lease| lease.state == LeaseState::Declined && lease.expires > now)
    }

    pub(super) fn is_held_for(&self, client: &ClientKey, now: Timestamp) -> bool {
        self.hold_for(client).is_some_and(|hold| hold.until > now)
    }

    /// The hold for the client, be its time over or not.
    pub(super) fn hold_for(&self, client: &ClientKey) -> Option<&Hold> {
        let hold = self.hold.as_ref();
        hold.filter(|hold| hold.client.as_ref() == Some(client))
    }

    /// Whether the lease is the client's, be its time over or not.
    pub(super) fn is_leased_to(&self, client: &ClientKey) -> bool {
        let lease = self.lease.as_ref();
        lease.is_some_and(|lease| lease.state == LeaseState::Bound && lease.client == *client)
    }

    /// By what lease and hold say that their clients are, be their time over or not.
    pub(super) fn identities(&self) -> [Option<String>; 2] {
        let lease = self.lease.as_ref();
        let hold = self.hold.as_ref();
        [
            lease.and_then(|lease| lease.claimed_identity.clone()),
            hold.and_then(|hold| hold.claimed_identity.clone()),
        ]
    }

    /// Until when a client has this address by that identity; with `but`, one other than that.
    pub(super) fn claimed_until(
        &self,
        identity: &str,
        but: Option<&ClientKey>,
    ) -> Option<Timestamp> {
        let lease = self.lease.as_ref().filter(|lease| {
            lease.state == LeaseState::Bound
                && lease.claimed_identity.as_deref() == Some(identity)
                && Some(&lease.client) != but
        });
        let hold = self.hold.as_ref().filter(|hold| {
            hold.claimed_identity.as_deref() == Some(identity) && hold.client.as_ref() != but
        });
        let lease = lease.map(|lease| lease.expires);
        lease.max(hold.map(|hold| hold.until))
    }

    /// Whether lease or hold is the client's, be its time over or not.
    pub(super) fn is_of(&self, client: &ClientKey) -> bool {
        let lease = self.lease.as_ref().map(|lease| &lease.client);
        let hold = self.hold.as_ref().and_then(|hold| hold.client.as_ref());
        lease == Some(client) || hold == Some(client)
    }
}
