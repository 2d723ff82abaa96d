//! The two halves of a transaction that needs something of the world: what waits for the effect,
//! and how it goes on with the result.
//!
//! A claim that is lost teaches the pool what the store has. If the address is still the client's
//! to have, the claim is made again on the newer version. Else the client gets a NAK, as RFC 2131
//! section 4.3.2 has it for what cannot be granted, and its next DISCOVER the next address.
//!
//! A client has one address in a network. Where it takes another, or starts and is refused the one
//! that it had, its old lease ends, so that whom the address is set aside for can have it.

use super::request::Request;
use super::rules::{Responder, silent};
use super::{
    Boot, Claim, ClaimResult, Effect, EffectResult, Lease, LeaseState, NakReason, Outcome, Pending,
    ProbeResult, Reply, SilenceReason, Transaction,
};
use crate::Seconds;
use alloc::boxed::Box;
use core::net::Ipv4Addr;

/// Claims for one REQUEST, when another server renews the same lease meanwhile.
const MAX_CLAIMS: u8 = 3;

/// A transaction between its effect and the result.
#[derive(Debug)]
pub(crate) struct Work {
    request: Request,
    transaction: Transaction,
    step: Step,
}

#[derive(Debug)]
pub(super) enum Step {
    /// The address is probed, to be offered.
    Probe {
        boot: Boot,
        address: Ipv4Addr,
        probes: u8,
    },
    /// The lease is stored, to be confirmed.
    Grant {
        ack: Box<Reply>,
        lease: Lease,
        claims: u8,
    },
    /// A release or decline is stored.
    End { lease: Lease },
    /// The end of the lease that the client leaves is stored. Whether that succeeds or not, the
    /// reply goes out, unless the lease that it confirms is over meanwhile.
    Leave { reply: Box<Reply>, lease: Lease },
}

impl Work {
    pub(super) fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    pub(super) fn into_transaction(self) -> Transaction {
        self.transaction
    }
}

impl Responder<'_> {
    pub(super) fn resume(&mut self, work: Work, result: EffectResult) -> Outcome {
        let Work {
            request,
            transaction,
            step,
        } = work;
        match step {
            Step::Probe {
                boot,
                address,
                probes,
            } => {
                if result == EffectResult::Probe(ProbeResult::InUse) {
                    self.pool.release_hold(&request.client);
                    let until = self.now.after(self.settings.quarantine);
                    self.pool.block(address, until);
                    return self.discover(request, transaction, boot, probes);
                }
                let is_reserved = self.reserved(&request) == Some(address);
                if is_reserved && result == EffectResult::Probe(ProbeResult::Free) {
                    self.pool.end_quarantine(address, self.now);
                }
                // Without an answer, or without a means to ask, the address counts as unused. The
                // result may come when it is somebody else's.
                if self.pool.is_free_for(address, &request.client, self.now) {
                    self.hold(&request, &boot, address);
                    return self.offer(request, transaction, &boot, address);
                }
                self.discover(request, transaction, boot, probes)
            }
            Step::Grant { ack, lease, claims } => {
                let result = claim_result(result);
                self.granted(request, transaction, *ack, lease, claims, result)
            }
            Step::End { lease } => {
                let reason = match (claim_result(result), lease.state) {
                    (ClaimResult::Stored, LeaseState::Declined) => SilenceReason::Declined,
                    (ClaimResult::Stored, _) => SilenceReason::Released,
                    (ClaimResult::Lost { current }, _) => {
                        self.learn(lease.address, current);
                        return silent(SilenceReason::Lost, transaction);
                    }
                    (ClaimResult::Down, _) => {
                        return silent(SilenceReason::StoreDown, transaction);
                    }
                };
                if !self.pool.record(lease) {
                    return silent(SilenceReason::Lost, transaction);
                }
                silent(reason, transaction)
            }
            Step::Leave { mut reply, lease } => {
                match claim_result(result) {
                    ClaimResult::Stored => {
                        let address = lease.address;
                        reply.ended = self.pool.record(lease).then_some(address);
                    }
                    ClaimResult::Lost { current } => self.learn(lease.address, current),
                    ClaimResult::Down => {}
                }
                // As with the lease that an ACK confirms: it may be over meanwhile.
                let confirmed = reply.lease.as_ref();
                if confirmed.is_some_and(|lease| lease.expires <= self.now) {
                    return silent(SilenceReason::Lost, transaction);
                }
                Outcome::Reply(*reply)
            }
        }
    }

    /// Sends the reply, once the client's lease of an address that it leaves with it has ended.
    pub(super) fn leave(
        &self,
        address: Option<Ipv4Addr>,
        request: Request,
        transaction: Transaction,
        reply: Reply,
    ) -> Outcome {
        let left = address.and_then(|address| self.pool.lease(address));
        let left = left.filter(|lease| {
            lease.client == request.client
                && lease.is_active(self.now)
                && request.is_its_own(self.network)
        });
        let Some(left) = left else {
            return Outcome::Reply(reply);
        };
        let (address, name) = (left.address, left.host_name.clone());
        let lease = self.next_lease(&request, address, LeaseState::Released, Seconds(0), name);
        let step = Step::Leave {
            reply: Box::new(reply),
            lease: lease.clone(),
        };
        needs(claim(lease), request, transaction, step)
    }

    fn granted(
        &mut self,
        request: Request,
        transaction: Transaction,
        mut ack: Reply,
        mut lease: Lease,
        claims: u8,
        result: ClaimResult,
    ) -> Outcome {
        match result {
            ClaimResult::Stored => {
                let left = self.pool.left_for(lease.address, &request.client);
                // A result that comes when the lease is over confirms nothing any more.
                if !self.pool.record(lease.clone()) || lease.expires <= self.now {
                    return silent(SilenceReason::Lost, transaction);
                }
                ack.lease = Some(lease);
                self.leave(left, request, transaction, ack)
            }
            ClaimResult::Lost { current } => {
                let version = current.as_ref().map_or(0, |current| current.version);
                let promised = current
                    .as_ref()
                    .filter(|current| current.client == request.client)
                    .map(|current| current.expires);
                self.learn(lease.address, current);
                // Another server may have changed what is still free for this client.
                let address = lease.address;
                let free = self.pool.is_free_for(address, &request.client, self.now);
                if free && claims < MAX_CLAIMS && lease.expires > self.now {
                    lease.version = version.saturating_add(1);
                    // A younger claim may have told the client a later end than this one.
                    lease.expires = promised.map_or(lease.expires, |end| end.max(lease.expires));
                    let step = Step::Grant {
                        ack: Box::new(ack),
                        lease: lease.clone(),
                        claims: claims + 1,
                    };
                    return needs(claim(lease), request, transaction, step);
                }
                self.pool.release_hold(&request.client);
                if request.rapid {
                    // It knows of no address yet that could be refused; its next DISCOVER gets
                    // another.
                    return silent(SilenceReason::Lost, transaction);
                }
                self.refuse(&request, transaction, NakReason::NotAvailable)
            }
            ClaimResult::Down => silent(SilenceReason::StoreDown, transaction),
        }
    }

    /// Takes what the store has for an address of this network.
    fn learn(&mut self, address: Ipv4Addr, current: Option<Lease>) {
        match current {
            Some(lease) if lease.network == self.network.id && lease.address == address => {
                self.pool.record(lease);
            }
            Some(_) => {}
            None => self.pool.erase(address),
        }
    }
}

pub(super) fn claim(lease: Lease) -> Effect {
    Effect::Claim(Claim::new(lease))
}

fn claim_result(result: EffectResult) -> ClaimResult {
    match result {
        EffectResult::Claim(result) => result,
        EffectResult::Probe(_) => ClaimResult::Down,
    }
}

pub(super) fn needs(
    effect: Effect,
    request: Request,
    transaction: Transaction,
    step: Step,
) -> Outcome {
    let work = Work {
        request,
        transaction,
        step,
    };
    Outcome::Needs(effect, Pending(Box::new(work)))
}
