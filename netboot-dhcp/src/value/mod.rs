//! What options mean: typed values, and the keys that tie a code to its type.
//!
//! A [`Key<T>`] is an option code with the type of its value; [`key`] has those of network boot. An
//! option that this crate does not know gets a key of the caller's own, and a type of the caller's
//! own by implementing [`Value`]. The bytes of every option remain at hand untyped, by
//! [`MessageView::raw`](crate::wire::MessageView::raw).

pub mod agent;
mod arch;
mod authentication;
mod class;
mod domain;
mod enterprise;
mod identity;
pub mod ipxe;
pub mod key;
mod message_type;
mod plain;
pub mod pxe;
pub mod raspberry_pi;
mod route;
mod shown;
mod sub;

pub use arch::Arch;
pub use authentication::Authentication;
pub use class::{UserClass, UserClassForm, VendorClass, VendorClassKind};
pub use domain::{DomainNameError, DomainSearch};
pub use enterprise::Enterprise;
pub use identity::{ClientId, MachineId, NetworkInterface};
pub use key::Key;
pub use message_type::MessageType;
pub use plain::{Parameters, Text};
pub use route::{AddressPair, ClasslessRoute};
pub use sub::{SubOptions, SubOptionsError};

pub(crate) use shown::Shown;

use crate::wire::OptionCode;
use alloc::vec::Vec;
use thiserror::Error;

/// A type that an option's bytes can hold.
///
/// ```
/// use netboot_dhcp::value::{Key, Value, ValueError};
/// use netboot_dhcp::wire::{OptionCode, Options};
///
/// /// A rack's number, site-specific option 224.
/// #[derive(Debug, PartialEq)]
/// struct Rack(u16);
///
/// impl Value for Rack {
///     const LEN: Option<usize> = Some(2);
///
///     fn decode(data: &[u8]) -> Result<Self, ValueError> {
///         u16::decode(data).map(Rack)
///     }
///
///     fn encode(&self, out: &mut Vec<u8>) {
///         self.0.encode(out);
///     }
/// }
///
/// const RACK: Key<Rack> = Key::new(OptionCode(224));
/// let mut options = Options::new();
/// options.put(RACK, &Rack(7));
/// assert_eq!(options.raw(OptionCode(224)).as_deref(), Some(&[0, 7][..]));
/// assert_eq!(options.read(RACK)?, Some(Rack(7)));
/// # Ok::<(), netboot_dhcp::value::ReadError>(())
/// ```
pub trait Value: Sized {
    /// The one length that the value has, if it has one. An option that occurs more than once is
    /// then read from its first occurrence, not joined.
    const LEN: Option<usize> = None;

    /// Reads the value from all of an option's bytes.
    ///
    /// # Errors
    ///
    /// The bytes are not such a value.
    fn decode(data: &[u8]) -> Result<Self, ValueError>;

    /// Appends the value's bytes; any length, since a long option is split when encoded.
    fn encode(&self, out: &mut Vec<u8>);
}

/// Why bytes are not a value of the type asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The type has one length, and this is another.
    #[error("it has {found} bytes where its type has {expected}")]
    Length {
        /// The bytes that the type has.
        expected: usize,
        /// The bytes that there are.
        found: usize,
    },
    /// A list whose bytes are no whole number of items, or none.
    #[error("it has {found} bytes where its type is a list of {item} bytes each, one at least")]
    ListLength {
        /// The bytes of one item.
        item: usize,
        /// The bytes that there are.
        found: usize,
    },
    /// Fewer bytes than the type has at least.
    #[error("it has {found} bytes where its type has at least {least}")]
    TooShort {
        /// The fewest bytes that the type has.
        least: usize,
        /// The bytes that there are.
        found: usize,
    },
    /// A text that is not UTF-8.
    #[error("byte {offset} of the text is not UTF-8")]
    NotUtf8 {
        /// The first bad byte.
        offset: usize,
    },
    /// An item inside the value runs past its end.
    #[error("the item at byte {offset} runs past the end")]
    Truncated {
        /// Where in the value the item begins.
        offset: usize,
    },
    /// An item inside the value is none of its type: a prefix length above 32, a domain name with
    /// other bytes than names have.
    #[error("the item at byte {offset} is not of its type")]
    Item {
        /// Where in the value the item begins.
        offset: usize,
    },
    /// A flag that is neither 0 nor 1.
    #[error("the flag is {found}, neither 0 nor 1")]
    Flag {
        /// The byte that there is.
        found: u8,
    },
}

/// An option that is there, but not as its type has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("option {code} cannot be read as its type")]
pub struct ReadError {
    /// The option.
    pub code: OptionCode,
    /// What is wrong with its value.
    #[source]
    pub cause: ValueError,
}

/// The bytes as an array, where they are exactly that many.
fn exactly<const N: usize>(data: &[u8]) -> Result<[u8; N], ValueError> {
    data.try_into().map_err(|_| ValueError::Length {
        expected: N,
        found: data.len(),
    })
}

/// The bytes as items of `N` bytes each, at least one.
fn items<const N: usize, T>(
    data: &[u8],
    mut item: impl FnMut([u8; N]) -> T,
) -> Result<Vec<T>, ValueError> {
    let (chunks, rest) = data.as_chunks::<N>();
    if chunks.is_empty() || !rest.is_empty() {
        return Err(ValueError::ListLength {
            item: N,
            found: data.len(),
        });
    }
    Ok(chunks.iter().map(|chunk| item(*chunk)).collect())
}
