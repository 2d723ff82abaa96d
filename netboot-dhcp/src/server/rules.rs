//! The rules of RFC 2131 section 4.3, for one message in one network.

use super::effect::{Step, claim, needs};
use super::pool::Pool;
use super::question::{Asked, Question, Role};
use super::rate::Rate;
use super::request::{Request, RequestState, Verdict};
use super::{
    Boot, ClientKey, Effect, Handled, Lease, LeaseState, Mode, NakReason, Network, Outcome,
    Settings, Silence, SilenceReason, Transaction,
};
use crate::value::MessageType;
use crate::{Seconds, Timestamp};
use alloc::{boxed::Box, string::String};
use core::net::Ipv4Addr;

/// Addresses that are probed for one DISCOVER before the client is left to ask again.
const MAX_PROBES: u8 = 4;

/// DECLINEs of a client's that a probe may prove wrong. Beyond it the client is believed: whoever
/// has the address may answer ARP and no echo.
const MOST_DOUBTED: u32 = 2;

/// Answers a message of one network.
pub(super) struct Responder<'a> {
    pub(super) now: Timestamp,
    pub(super) settings: &'a Settings,
    pub(super) network: &'a Network,
    pub(super) pool: &'a mut Pool,
    pub(super) declines: &'a mut Rate<ClientKey>,
}

impl Responder<'_> {
    /// A message to the DHCP server, as far as it goes without the boot policy.
    pub(super) fn handle(&mut self, request: Request, mut transaction: Transaction) -> Handled {
        match request.kind {
            MessageType::RELEASE => return self.release(request, transaction).into(),
            MessageType::DECLINE => return self.decline(request, transaction).into(),
            MessageType::DISCOVER | MessageType::REQUEST | MessageType::INFORM => {}
            _ => return silent(SilenceReason::NotServed, transaction).into(),
        }
        if request.is_for_another(request.identity(self.network)) {
            if request.kind == MessageType::REQUEST {
                self.pool.release_hold(&request.client);
            }
            return silent(SilenceReason::OtherServer, transaction).into();
        }
        transaction.address = self.address_of(&request).or(transaction.address);
        self.ask(request, transaction, Role::Server)
    }

    /// The address that a message is about, as far as it is known before the boot policy is asked.
    fn address_of(&self, request: &Request) -> Option<Ipv4Addr> {
        match request.kind {
            MessageType::DISCOVER => self.proposed(request),
            MessageType::REQUEST => RequestState::of(request).map(|state| state.address()),
            _ => request.path.own,
        }
    }

    fn proposed(&self, request: &Request) -> Option<Ipv4Addr> {
        let reserved = self.reserved(request);
        self.pool
            .propose(&request.client, reserved, request.wanted, self.now)
    }

    /// Asks the boot policy, where the machine may be answered at all.
    pub(super) fn ask(&self, request: Request, transaction: Transaction, role: Role) -> Handled {
        if !request.is_allowed(self.network) {
            return silent(SilenceReason::Unknown, transaction).into();
        }
        let asked = Asked {
            request,
            transaction,
            role,
            network: self.network.id,
            server: self.network.server,
        };
        Handled::Asks(Question(asked))
    }

    /// Goes on with what the machine boots.
    pub(super) fn answer_to(&mut self, asked: Asked, boot: Boot) -> Outcome {
        let Asked {
            request,
            mut transaction,
            role,
            ..
        } = asked;
        if boot.silent {
            return silent(SilenceReason::Policy, transaction);
        }
        // The network may have become a proxy's meanwhile, or have ceased to be one.
        let is_still = match role {
            Role::Server => self.network.mode == Mode::Server,
            Role::Proxy => self.network.mode == Mode::Proxy,
            Role::BootServer(_) => true,
        };
        if !is_still {
            return silent(SilenceReason::NoNetwork, transaction);
        }
        if matches!(role, Role::Server)
            && let Some(address) = self.identity_in_use(&request, &boot)
        {
            transaction.address = Some(address);
            return silent(SilenceReason::IdentityInUse, transaction);
        }
        match (role, request.kind) {
            (Role::Proxy, _) => self.proxy_offer(&request, transaction, &boot),
            (Role::BootServer(source), _) => {
                self.boot_server_ack(&request, transaction, source, &boot)
            }
            (Role::Server, MessageType::DISCOVER) => self.discover(request, transaction, boot, 0),
            (Role::Server, MessageType::REQUEST) => self.request(request, transaction, boot),
            (Role::Server, _) => self.inform(&request, transaction, &boot),
        }
    }

    /// The address that another client has by what this one says that it is.
    fn identity_in_use(&self, request: &Request, boot: &Boot) -> Option<Ipv4Addr> {
        let identity = boot.claimed_identity.as_deref()?;
        // An INFORM asks for no address.
        let wants = request.kind != MessageType::INFORM;
        let pool = wants.then_some(&*self.pool)?;
        pool.claimed_by_another(identity, &request.client, self.now)
    }

    pub(super) fn discover(
        &mut self,
        request: Request,
        mut transaction: Transaction,
        boot: Boot,
        probes: u8,
    ) -> Outcome {
        // One that was declined may be free again, or never have been another's.
        if probes == 0
            && let Some(address) = self.reserved(&request)
            && self.pool.is_in_quarantine(address, self.now)
            && self.declines.count(self.now, &request.client) <= MOST_DOUBTED
        {
            transaction.address = Some(address);
            let step = Step::Probe {
                boot,
                address,
                probes: 1,
            };
            return needs(Effect::Probe(address), request, transaction, step);
        }
        let proposed = self.proposed(&request);
        let Some(address) = proposed.filter(|_| probes < MAX_PROBES) else {
            transaction.address = None;
            return silent(SilenceReason::NoAddress, transaction);
        };
        transaction.address = Some(address);
        self.hold(&request, &boot, address);
        let lease = self.pool.lease(address);
        let has_it =
            lease.is_some_and(|lease| lease.client == request.client && lease.is_active(self.now));
        if self.network.probe && !has_it {
            let step = Step::Probe {
                boot,
                address,
                probes: probes + 1,
            };
            return needs(Effect::Probe(address), request, transaction, step);
        }
        self.offer(request, transaction, &boot, address)
    }

    /// Offers the address, or commits it at once where client and network want that (RFC 4039).
    pub(super) fn offer(
        &mut self,
        request: Request,
        transaction: Transaction,
        boot: &Boot,
        address: Ipv4Addr,
    ) -> Outcome {
        if request.rapid {
            return self.grant(request, transaction, boot, address);
        }
        let lease_time = self.lease_time(&request);
        self.accept(
            MessageType::OFFER,
            &request,
            transaction,
            boot,
            address,
            Some(lease_time),
        )
        .map_or_else(Outcome::Silent, Outcome::Reply)
    }

    fn request(&mut self, request: Request, mut transaction: Transaction, boot: Boot) -> Outcome {
        let Some(state) = RequestState::of(&request) else {
            return silent(SilenceReason::Malformed, transaction);
        };
        let address = state.address();
        transaction.address = Some(address);
        match self.judge(&request, state) {
            Verdict::Grant => self.grant(request, transaction, &boot, address),
            Verdict::Refuse(reason) => {
                // Who renews uses the address, and may not hear the NAK: that lease ends when its
                // client takes another address.
                let left = request.ciaddr.is_unspecified().then_some(address);
                match self.refuse(&request, transaction.clone(), reason) {
                    Outcome::Reply(nak) => self.leave(left, request, transaction, nak),
                    other => other,
                }
            }
            Verdict::Silent(reason) => silent(reason, transaction),
        }
    }

    /// RFC 2131 section 4.3.2. Of a client that it has no record of, a server that is not
    /// authoritative refuses two things only: what the client asks this server for by its name, and
    /// the address of another network at INIT-REBOOT.
    fn judge(&self, request: &Request, state: RequestState) -> Verdict {
        let address = state.address();
        let client = &request.client;
        let has = self.pool.address_of(client).filter(|has| {
            let lease = self.pool.lease(*has);
            lease.is_some_and(|lease| lease.client == *client && lease.is_active(self.now))
        });
        let reserved = self.reserved(request);
        let known = has.is_some() || reserved.is_some() || self.had(client, address);
        let decides =
            known || self.network.authoritative || matches!(state, RequestState::Selecting(_));
        let refuse = |reason| {
            if decides {
                Verdict::Refuse(reason)
            } else {
                Verdict::Silent(SilenceReason::NoRecord)
            }
        };
        if !self.network.subnet.contains(address) {
            return match state {
                RequestState::InitReboot(_) => Verdict::Refuse(NakReason::WrongNetwork),
                _ => refuse(NakReason::WrongNetwork),
            };
        }
        if !decides && self.now >= self.settings.adopt_until {
            return Verdict::Silent(SilenceReason::NoRecord);
        }
        if let Some(reserved) = reserved
            && reserved != address
            && self.pool.is_free_for(reserved, client, self.now)
        {
            return refuse(NakReason::WrongAddress);
        }
        if has.is_some_and(|has| has != address)
            && reserved != Some(address)
            && !self.pool.is_held_for(address, client, self.now)
        {
            return refuse(NakReason::WrongAddress);
        }
        let gives = self.pool.gives(address, reserved);
        if gives && self.pool.is_free_for(address, client, self.now) {
            Verdict::Grant
        } else {
            refuse(NakReason::NotAvailable)
        }
    }

    /// Whether the client's last lease here, or its offer, is of this address.
    fn had(&self, client: &ClientKey, address: Ipv4Addr) -> bool {
        self.pool.address_of(client) == Some(address)
    }

    fn grant(
        &mut self,
        request: Request,
        transaction: Transaction,
        boot: &Boot,
        address: Ipv4Addr,
    ) -> Outcome {
        let lease_time = self.lease_time(&request);
        let given = boot.host_name.as_ref();
        let given = given.or_else(|| request.reservation(self.network)?.host_name.as_ref());
        let mut transaction = transaction;
        if let Some(name) = given {
            transaction.host_name = Some(name.clone());
        }
        let accepted = self.accept(
            MessageType::ACK,
            &request,
            transaction.clone(),
            boot,
            address,
            Some(lease_time),
        );
        let ack = match accepted {
            Ok(ack) => Box::new(ack),
            Err(silence) => return Outcome::Silent(silence),
        };
        let host_name = transaction.host_name.clone();
        let mut lease =
            self.next_lease(&request, address, LeaseState::Bound, lease_time, host_name);
        lease.claimed_identity.clone_from(&boot.claimed_identity);
        self.hold(&request, boot, address);
        let step = Step::Grant {
            ack,
            lease: lease.clone(),
            claims: 1,
        };
        needs(claim(lease), request, transaction, step)
    }

    fn release(&mut self, request: Request, transaction: Transaction) -> Outcome {
        if request.is_for_another(request.identity(self.network)) {
            return silent(SilenceReason::OtherServer, transaction);
        }
        let address = request.ciaddr;
        let held = self
            .pool
            .lease(address)
            .filter(|lease| lease.client == request.client && lease.is_active(self.now));
        let Some(held) = held else {
            return silent(SilenceReason::NotItsAddress, transaction);
        };
        if !request.is_its_own(self.network) {
            return silent(SilenceReason::NotItsOwn, transaction);
        }
        let name = held.host_name.clone();
        let lease = self.next_lease(&request, address, LeaseState::Released, Seconds(0), name);
        let step = Step::End {
            lease: lease.clone(),
        };
        needs(claim(lease), request, transaction, step)
    }

    fn decline(&mut self, request: Request, mut transaction: Transaction) -> Outcome {
        if request.is_for_another(request.identity(self.network)) {
            return silent(SilenceReason::OtherServer, transaction);
        }
        let Some(address) = request.wanted else {
            return silent(SilenceReason::Malformed, transaction);
        };
        transaction.address = Some(address);
        let leased = self
            .pool
            .lease(address)
            .is_some_and(|lease| lease.client == request.client && lease.is_active(self.now));
        if !leased && !self.pool.is_held_for(address, &request.client, self.now) {
            return silent(SilenceReason::NotItsAddress, transaction);
        }
        if !request.is_its_own(self.network) {
            return silent(SilenceReason::NotItsOwn, transaction);
        }
        if !self.declines.allows(self.now, &request.client) {
            return silent(SilenceReason::TooManyDeclines, transaction);
        }
        let quarantine = self.settings.quarantine;
        let lease = self.next_lease(&request, address, LeaseState::Declined, quarantine, None);
        let step = Step::End {
            lease: lease.clone(),
        };
        needs(claim(lease), request, transaction, step)
    }

    fn inform(&mut self, request: &Request, mut transaction: Transaction, boot: &Boot) -> Outcome {
        transaction.address = request.path.own;
        let none = Ipv4Addr::UNSPECIFIED;
        self.accept(MessageType::ACK, request, transaction, boot, none, None)
            .map_or_else(Outcome::Silent, Outcome::Reply)
    }

    pub(super) fn next_lease(
        &self,
        request: &Request,
        address: Ipv4Addr,
        state: LeaseState,
        lasts: Seconds,
        host_name: Option<String>,
    ) -> Lease {
        let version = self.pool.lease(address).map_or(0, |lease| lease.version);
        let client = request.client.clone();
        let expires = self.now.after(lasts);
        let mut lease = Lease::new(self.now, self.network.id, address, client, expires);
        lease.client_id = request.client_id.clone();
        lease.host_name = host_name;
        lease.state = state;
        lease.version = version.saturating_add(1);
        lease
    }

    /// Keeps a free address for the client.
    pub(super) fn hold(&mut self, request: &Request, boot: &Boot, address: Ipv4Addr) {
        let until = self.now.after(self.settings.offer_hold);
        let identity = boot.claimed_identity.as_deref();
        self.pool.hold(address, &request.client, identity, until);
    }

    pub(super) fn reserved(&self, request: &Request) -> Option<Ipv4Addr> {
        request.reservation(self.network)?.address
    }

    fn lease_time(&self, request: &Request) -> Seconds {
        if request.firmware.is_boot_stage() {
            self.network.boot_lease_time
        } else {
            self.network.lease_time
        }
    }
}

pub(super) fn silent(reason: SilenceReason, transaction: Transaction) -> Outcome {
    Outcome::Silent(Silence::new(reason, transaction))
}
