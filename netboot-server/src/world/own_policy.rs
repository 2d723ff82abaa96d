//! What a program that embeds the server has to say about what machines boot.

use std::fmt;
use std::sync::Arc;

use netboot_image::ImageName;

use super::{Machine, World};

/// A boot policy in code, which is asked before the configuration says what a machine boots.
///
/// It has to be pure: for the same machine it answers the same until
/// [`Service::policy_changed`](crate::Service::policy_changed) says otherwise, since DHCP, TFTP and
/// HTTP ask it one after the other in one boot, and scripts are kept. It is asked for each message
/// of DHCP, so it waits for nothing. `policy::decide` asks it, and is not for it to call.
///
/// A closure is one:
///
/// ```
/// use netboot_server::policy::{Choice, Policy};
/// use netboot_server::world::{Machine, World};
///
/// fn of_strangers() -> impl Policy {
///     |world: &World, machine: &Machine| match world.find(machine) {
///         Some(_) => None,
///         None => Some(Choice::local("it is not in the inventory")),
///     }
/// }
/// ```
pub trait Policy: Send + Sync + 'static {
    /// What the machine boots, and `None` where the configuration is to say. It is asked for
    /// machines that their network serves.
    fn choose(&self, world: &World, machine: &Machine) -> Option<Choice>;
}

impl<F: Fn(&World, &Machine) -> Option<Choice> + Send + Sync + 'static> Policy for F {
    fn choose(&self, world: &World, machine: &Machine) -> Option<Choice> {
        self(world, machine)
    }
}

/// What a [`Policy`] has a machine boot, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub(crate) chosen: Chosen,
    /// Why, as a sentence without its end; it is in the log and what `explain` shows.
    pub(crate) why: String,
}

/// What a machine boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chosen {
    Image(ImageName),
    Menu,
    Local,
    Nothing,
}

impl Choice {
    /// It boots the current generation of an image; a notice where that is not in the store.
    #[must_use]
    pub fn image(name: ImageName, why: impl Into<String>) -> Self {
        Self::new(Chosen::Image(name), why)
    }

    /// It gets the menu.
    #[must_use]
    pub fn menu(why: impl Into<String>) -> Self {
        Self::new(Chosen::Menu, why)
    }

    /// It boots its local disk.
    #[must_use]
    pub fn local(why: impl Into<String>) -> Self {
        Self::new(Chosen::Local, why)
    }

    /// It gets an address, and nothing to boot.
    #[must_use]
    pub fn nothing(why: impl Into<String>) -> Self {
        Self::new(Chosen::Nothing, why)
    }

    fn new(chosen: Chosen, why: impl Into<String>) -> Self {
        let why = why.into();
        Self { chosen, why }
    }
}

/// A policy that worlds share.
#[derive(Clone)]
pub(crate) struct OwnPolicy(Arc<dyn Policy>);

impl OwnPolicy {
    pub(crate) fn new(policy: impl Policy) -> Self {
        Self(Arc::new(policy))
    }

    pub(super) fn choose(&self, world: &World, machine: &Machine) -> Option<Choice> {
        self.0.choose(world, machine)
    }
}

impl fmt::Debug for OwnPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnPolicy")
    }
}
