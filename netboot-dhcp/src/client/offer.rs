//! Offers as firmware judges them, and which of them each firmware takes.
//!
//! The orders of preference are those of EDK2's PXE and HTTP drivers, of iPXE's DHCP client and of
//! Intel's PXE 2.1 specification, section 2.2. When they choose is in [`Profile`](super::Profile).

use crate::Seconds;
use crate::value::{VendorClass, VendorClassKind, key, pxe, raspberry_pi};
use crate::wire::{Message, MessageView, OptionCode, Options};
use alloc::{string::String, vec::Vec};
use core::net::Ipv4Addr;

/// How a machine chooses among the offers that it collected, and how it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Model {
    /// A client that does not look at option 60: the first offer with a boot file, else the first.
    Plain,
    /// A BIOS ROM after Intel's PXE 2.1 specification. It sees option 43 only behind 60, and takes
    /// no message below 300 bytes.
    IntelUndi,
    /// UEFI's PXE as EDK2 has it: an offer with 60 and 43; a plain one with a proxy's 43; one with
    /// 60 alone, whose boot server it asks; a plain one with a proxy's 60 alone; one with a file.
    Edk2,
    /// EDK2's PXE as it was: the first proxy's offer with option 43 is lost.
    OldEdk2,
    /// UEFI's HTTP boot: an offer, or a proxy's, with option 60 `HTTPClient` and a URL.
    Edk2Http,
    /// iPXE: the first offer, and a proxy's besides unless option 175 says that there is none; it
    /// waits for no other once it has both. It takes a boot server's reply from port 4011 only.
    Ipxe,
    /// The boot ROM of a Raspberry Pi 3: looks for its menu in any option 43, and never sends a
    /// REQUEST.
    RaspberryPi3,
    /// The boot loader of a Raspberry Pi 4: looks for the same menu, and does send a REQUEST.
    RaspberryPi4,
}

/// What an offer says, as far as firmware looks at it. Without an address it is a proxy's.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) address: Option<Ipv4Addr>,
    pub(super) server: Ipv4Addr,
    pub(super) next_server: Option<Ipv4Addr>,
    pub(super) file: Option<String>,
    class: VendorClassKind,
    class_before_vendor: bool,
    long_enough: bool,
    control: Option<u8>,
    /// The first of the boot servers that option 43 lists.
    listed: Option<Ipv4Addr>,
    pi_menu: bool,
    no_proxy: bool,
    pub(super) lease_time: Seconds,
    pub(super) options: Options,
}

/// What a machine makes of its offers.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// The offer that has the address.
    pub(super) lease: Offer,
    pub(super) boot: Source,
    /// Whether no further offer could be preferred to it.
    pub(super) settled: bool,
}

/// Where a machine learns what to boot.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// With its address.
    Lease,
    /// From a proxy's offer.
    Proxy(Offer),
    /// From the boot server at this address, once it has its own.
    BootServer(Ipv4Addr),
}

/// What the PXE options of an offer come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// No PXE.
    Plain,
    /// 60 and 43: take the file.
    TakeFile,
    /// Ask the boot server.
    Ask,
}

impl Model {
    /// Whether an offer may end the collecting when it comes, as in iPXE's `dhcp_discovery_rx`;
    /// others look at their offers when a DISCOVER's time is over (`DhcpOnTimerTick` of EDK2's
    /// `Dhcp4Io.c`).
    pub(super) const fn looks_at_each_offer(self) -> bool {
        matches!(self, Self::Plain | Self::Ipxe)
    }
}

impl Offer {
    /// Reads an OFFER or ACK of this server.
    pub(super) fn of(server: Ipv4Addr, message: &MessageView<'_>) -> Self {
        let class = message.read(key::VENDOR_CLASS).ok().flatten();
        let vendor = message.read(key::VENDOR_SPECIFIC).ok().flatten();
        let sub = |code| vendor.as_ref().and_then(|vendor| vendor.raw(code));
        let place = |code| {
            let mut options = message.options().flatten();
            options.position(|option| option.code == code)
        };
        let menu = message.raw(OptionCode::VENDOR_SPECIFIC);
        let text = raspberry_pi::MENU_TEXT;
        let ipxe = message.read(key::IPXE).ok().flatten();
        let no_proxy = ipxe.and_then(|ipxe| {
            let value = ipxe
                .raw(crate::value::ipxe::NO_PROXY_DHCP)?
                .first()
                .copied();
            value.map(|value| value != 0)
        });
        let listed = vendor.as_ref().and_then(|vendor| {
            vendor
                .read::<Vec<pxe::BootServer>>(pxe::BOOT_SERVERS)
                .ok()?
        });
        Self {
            address: specified(message.yiaddr()),
            server,
            next_server: specified(message.siaddr()),
            file: file(message),
            class: class
                .as_ref()
                .map_or(VendorClassKind::Other, VendorClass::kind),
            class_before_vendor: place(OptionCode::VENDOR_CLASS)
                < place(OptionCode::VENDOR_SPECIFIC),
            long_enough: message.bytes().len() >= crate::wire::MIN_MESSAGE_LEN,
            control: sub(pxe::DISCOVERY_CONTROL).and_then(|control| control.first().copied()),
            listed: listed.and_then(|servers| servers.first()?.addresses().first().copied()),
            pi_menu: menu.is_some_and(|menu| menu.windows(text.len()).any(|part| part == text)),
            no_proxy: no_proxy.unwrap_or_default(),
            lease_time: message
                .read(key::LEASE_TIME)
                .ok()
                .flatten()
                .unwrap_or_default(),
            options: Message::from(message).options,
        }
    }

    /// What a server that knows nothing of booting gave a client before.
    fn before(address: Ipv4Addr) -> Self {
        Self {
            address: Some(address),
            server: Ipv4Addr::UNSPECIFIED,
            next_server: None,
            file: None,
            class: VendorClassKind::Other,
            class_before_vendor: false,
            long_enough: true,
            control: None,
            listed: None,
            pi_menu: false,
            no_proxy: false,
            lease_time: Seconds::default(),
            options: Options::new(),
        }
    }

    fn kind(&self, model: Model) -> Kind {
        if self.class != VendorClassKind::Pxe {
            return Kind::Plain;
        }
        let seen = model != Model::IntelUndi || self.class_before_vendor;
        let control = self.control.filter(|_| seen).unwrap_or_default();
        if control & pxe::USE_BOOT_FILE != 0 && self.file.is_some() {
            Kind::TakeFile
        } else {
            Kind::Ask
        }
    }

    /// The server that the file comes from; EDK2 prefers the one that option 43 lists.
    pub(super) fn file_server(&self, model: Model) -> Option<Ipv4Addr> {
        let listed = self.listed.filter(|_| model == Model::Edk2);
        listed.or(self.next_server)
    }
}

/// What `model` makes of the offers in the order of their arrival, where it may have an `address`
/// already; `None` where it must ask again.
pub(super) fn choose(model: Model, address: Option<Ipv4Addr>, offers: &[Offer]) -> Option<Choice> {
    let chosen = choose_among(model, offers);
    if chosen.is_some() || offers.is_empty() {
        return chosen;
    }
    let mut offers = offers.to_vec();
    offers.push(Offer::before(address?));
    choose_among(model, &offers)
}

fn choose_among(model: Model, offers: &[Offer]) -> Option<Choice> {
    match model {
        Model::Plain => {
            let leases = offers.iter().filter(|offer| offer.address.is_some());
            let boots = leases.clone().find(|offer| offer.file.is_some());
            let lease = boots.or_else(|| leases.clone().next())?;
            Some(with_lease(lease, false))
        }
        Model::IntelUndi | Model::Edk2 | Model::OldEdk2 => choose_pxe(model, offers),
        Model::Edk2Http => choose_with(offers, |offer| {
            offer.class == VendorClassKind::Http && offer.file.is_some()
        }),
        Model::RaspberryPi3 | Model::RaspberryPi4 => choose_with(offers, |offer| offer.pi_menu),
        Model::Ipxe => choose_ipxe(offers),
    }
}

fn choose_pxe(model: Model, offers: &[Offer]) -> Option<Choice> {
    let offers = offers
        .iter()
        .filter(|offer| model != Model::IntelUndi || offer.long_enough);
    let lease = |kind| {
        let mut offers = offers.clone();
        offers.find(|offer| offer.address.is_some() && offer.kind(model) == kind)
    };
    let proxy = |kind| {
        let mut proxies = offers
            .clone()
            .filter(|offer| offer.address.is_none() && offer.kind(model) == kind);
        let lost = usize::from(model == Model::OldEdk2 && kind == Kind::TakeFile);
        proxies.nth(lost)
    };
    if let Some(lease) = lease(Kind::TakeFile) {
        return Some(with_lease(lease, true));
    }
    let plain = lease(Kind::Plain);
    if let (Some(plain), Some(proxy)) = (plain, proxy(Kind::TakeFile)) {
        return Some(with(plain, Source::Proxy(proxy.clone())));
    }
    if let Some(lease) = lease(Kind::Ask) {
        return Some(with(lease, Source::BootServer(lease.server)));
    }
    let plain = plain?;
    if let Some(proxy) = proxy(Kind::Ask) {
        return Some(with(plain, Source::BootServer(proxy.server)));
    }
    let mut leases = offers.clone().filter(|offer| offer.address.is_some());
    let boots = leases.find(|offer| offer.file.is_some());
    Some(with_lease(boots.unwrap_or(plain), false))
}

/// An offer with an address that is `right`, else any with a proxy's that is.
fn choose_with(offers: &[Offer], right: impl Fn(&Offer) -> bool) -> Option<Choice> {
    let (leases, proxies): (Vec<&Offer>, Vec<&Offer>) =
        offers.iter().partition(|offer| offer.address.is_some());
    if let Some(lease) = leases.iter().find(|offer| right(offer)) {
        return Some(with_lease(lease, true));
    }
    let proxy = proxies.into_iter().find(|offer| right(offer))?;
    Some(with(leases.first()?, Source::Proxy(proxy.clone())))
}

fn choose_ipxe(offers: &[Offer]) -> Option<Choice> {
    let lease = offers.iter().find(|offer| offer.address.is_some())?;
    let mut proxies = offers
        .iter()
        .filter(|offer| offer.address.is_none() && offer.class == VendorClassKind::Pxe);
    match proxies.next() {
        Some(proxy) if !lease.no_proxy => {
            let boot = match proxy.file {
                Some(_) => Source::Proxy(proxy.clone()),
                None => Source::BootServer(proxy.server),
            };
            let settled = true;
            Some(Choice {
                settled,
                ..with(lease, boot)
            })
        }
        _ => Some(with_lease(lease, lease.no_proxy)),
    }
}

fn with_lease(lease: &Offer, settled: bool) -> Choice {
    let boot = Source::Lease;
    let lease = lease.clone();
    Choice {
        lease,
        boot,
        settled,
    }
}

fn with(lease: &Offer, boot: Source) -> Choice {
    Choice {
        lease: lease.clone(),
        boot,
        settled: false,
    }
}

pub(super) fn specified(address: Ipv4Addr) -> Option<Ipv4Addr> {
    (!address.is_unspecified()).then_some(address)
}

/// The boot file, if one is named and is UTF-8.
pub(super) fn file(message: &MessageView<'_>) -> Option<String> {
    let file = message.boot_file()?;
    core::str::from_utf8(&file).ok().map(String::from)
}
