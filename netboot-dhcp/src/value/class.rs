//! What a client says it is: vendor class (option 60) and user class (option 77).

use super::{Arch, Value, ValueError};
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// Option 60, as bytes: a free text by RFC 2132, with a grammar of its own in network boot.
///
/// ```
/// use netboot_dhcp::value::{Arch, VendorClass, VendorClassKind};
///
/// let class = VendorClass::from("PXEClient:Arch:00007:UNDI:003016");
/// assert_eq!(class.kind(), VendorClassKind::Pxe);
/// assert_eq!(class.arch(), Some(Arch::X64_UEFI));
/// assert_eq!(class.undi(), Some((3, 16)));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VendorClass(pub Bytes);

/// What an option 60 announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VendorClassKind {
    /// `PXEClient…`: boots by TFTP (RFC 4578; PXE 2.1 section 2.2).
    Pxe,
    /// `HTTPClient…`: boots by HTTP (UEFI section 24.7).
    Http,
    /// `U-Boot…`, as `U-Boot.armv8`: U-Boot's own `dhcp` (`net/bootp.c` and `BOOTP_VCI_STRING` in
    /// its sources; older boards wrote `U-boot`, some behind a space).
    UBoot,
    /// Anything else.
    Other,
}

impl VendorClass {
    /// What the class announces, by its first word.
    #[must_use]
    pub fn kind(&self) -> VendorClassKind {
        VendorClassKind::of(&self.0)
    }

    /// The platform in `:Arch:` and five digits, where there is one; else the one that U-Boot says.
    #[must_use]
    pub fn arch(&self) -> Option<Arch> {
        Self::arch_in(&self.0)
    }

    /// As [`Self::arch`], of the bytes of an option 60.
    pub(crate) fn arch_in(class: &[u8]) -> Option<Arch> {
        let said = field(class, "Arch").and_then(number).map(Arch);
        said.or_else(|| match class.split(|byte| *byte == b'.').nth(1)? {
            _ if VendorClassKind::of(class) != VendorClassKind::UBoot => None,
            b"arm" | b"armv7" => Some(Arch::ARM32_UBOOT),
            b"armv8" => Some(Arch::ARM64_UBOOT),
            _ => None,
        })
    }

    /// The UNDI version in `:UNDI:` and two times three digits: major and minor.
    #[must_use]
    pub fn undi(&self) -> Option<(u16, u16)> {
        let (major, minor) = field(&self.0, "UNDI")?.split_at_checked(3)?;
        Some((number(major)?, number(minor)?))
    }
}

impl VendorClassKind {
    /// What the bytes of an option 60 announce.
    #[must_use]
    pub fn of(class: &[u8]) -> Self {
        if class.starts_with(b"PXEClient") {
            Self::Pxe
        } else if class.starts_with(b"HTTPClient") {
            Self::Http
        } else if class
            .trim_ascii_start()
            .get(..6)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"U-Boot"))
        {
            Self::UBoot
        } else {
            Self::Other
        }
    }
}

impl From<&str> for VendorClass {
    fn from(class: &str) -> Self {
        Self(Bytes::copy_from_slice(class.as_bytes()))
    }
}

impl fmt::Debug for VendorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VendorClass(\"{}\")", self.0.escape_ascii())
    }
}

impl Value for VendorClass {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        Bytes::decode(data).map(Self)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

/// How option 77 is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserClassForm {
    /// A list of classes, each with its length before it (RFC 3004).
    Rfc3004,
    /// One class that fills the option, as iPXE and older clients send it.
    Bare,
}

/// Option 77: the classes a client counts itself to.
///
/// The two forms cannot always be told apart. What reads as RFC 3004 to the last byte, with no
/// empty class, is taken for it; all else is one bare class. `iPXE` is bare: its `i` would be a
/// length of 105.
///
/// ```
/// use netboot_dhcp::value::{UserClass, Value};
///
/// assert!(UserClass::decode(b"iPXE").unwrap().contains(b"iPXE"));
/// assert!(UserClass::decode(b"\x04iPXE\x03lab").unwrap().contains(b"iPXE"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserClass {
    form: UserClassForm,
    data: Bytes,
}

impl UserClass {
    /// One class without its length before it.
    #[must_use]
    pub fn bare(class: &[u8]) -> Self {
        Self {
            form: UserClassForm::Bare,
            data: Bytes::copy_from_slice(class),
        }
    }

    /// The form that the option has.
    #[must_use]
    pub const fn form(&self) -> UserClassForm {
        self.form
    }

    /// The classes in order.
    pub fn classes(&self) -> impl Iterator<Item = &[u8]> {
        UserClasses {
            form: self.form,
            rest: &self.data,
        }
    }

    /// Whether `class` is among them, byte by byte.
    #[must_use]
    pub fn contains(&self, class: &[u8]) -> bool {
        self.classes().any(|one| one == class)
    }

    /// Whether the bytes of an option 77 hold `class`, in either form.
    pub(crate) fn data_contains(data: &[u8], class: &[u8]) -> bool {
        UserClasses {
            form: form_of(data),
            rest: data,
        }
        .any(|one| one == class)
    }
}

impl Value for UserClass {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        Ok(Self {
            form: form_of(data),
            data: Bytes::copy_from_slice(data),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.data);
    }
}

struct UserClasses<'a> {
    form: UserClassForm,
    rest: &'a [u8],
}

impl<'a> Iterator for UserClasses<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match (self.form, self.rest) {
            (_, []) => None,
            (UserClassForm::Bare, class) => {
                self.rest = &[];
                Some(class)
            }
            (UserClassForm::Rfc3004, data) => {
                let (class, rest) = counted(data)?;
                self.rest = rest;
                Some(class)
            }
        }
    }
}

fn form_of(data: &[u8]) -> UserClassForm {
    let mut rest = data;
    while !rest.is_empty() {
        match counted(rest) {
            Some((class, after)) if !class.is_empty() => rest = after,
            _ => return UserClassForm::Bare,
        }
    }
    UserClassForm::Rfc3004
}

/// Splits a class with its length byte off.
fn counted(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = data.split_first()?;
    rest.split_at_checked(usize::from(*len))
}

/// The word of a class behind the word `name`.
fn field<'c>(class: &'c [u8], name: &str) -> Option<&'c [u8]> {
    let mut words = class.split(|byte| *byte == b':');
    words.find(|word| *word == name.as_bytes())?;
    words.next()
}

fn number(digits: &[u8]) -> Option<u16> {
    let all_digits = digits.iter().all(u8::is_ascii_digit);
    let text = core::str::from_utf8(digits).ok()?;
    if all_digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn vendor_class_without_arch_has_none() {
        let class = VendorClass::from("PXEClient");
        assert_eq!((class.arch(), class.undi()), (None, None));
        for text in [
            "PXEClient:Arch:x0007",
            "PXEClient:Arch:99999",
            "PXEClient:Arch",
        ] {
            assert_eq!(VendorClass::from(text).arch(), None, "{text}");
        }
        assert_eq!(VendorClass::from("PXEClient:UNDI:02").undi(), None);
        assert_eq!(
            VendorClass::from("udhcp 1.35.0").kind(),
            VendorClassKind::Other
        );
    }

    #[test]
    fn u_boot_is_known_by_its_class_on_any_board() {
        // Kconfig's defaults; then BOOTP_VCI_STRING of hikey_aemv8a and of armada3700.
        for text in [
            "U-Boot.armv8",
            "U-Boot.armv7",
            "U-Boot.arm",
            "U-Boot",
            "U-boot.armv8.hikey_aemv8a",
            " U-boot.armv8.armada3700",
        ] {
            let class = VendorClass::from(text);
            assert_eq!(class.kind(), VendorClassKind::UBoot, "{text}");
        }
        let arch = |text| VendorClass::from(text).arch();
        assert_eq!(arch("U-Boot.armv8"), Some(Arch::ARM64_UBOOT));
        assert_eq!(arch("U-boot.armv8.hikey_aemv8a"), Some(Arch::ARM64_UBOOT));
        assert_eq!(arch("U-Boot.armv7"), Some(Arch::ARM32_UBOOT));
        assert_eq!((arch("U-Boot"), arch("a.armv8")), (None, None));
        for text in ["U-Boo", "", "Das U-Boot"] {
            let class = VendorClass::from(text);
            assert_eq!(class.kind(), VendorClassKind::Other, "{text}");
        }
    }

    #[test]
    fn user_class_of_rfc_3004_is_a_list() {
        let class = UserClass::decode(b"\x01a\x02bc").unwrap();
        assert_eq!(class.form(), UserClassForm::Rfc3004);
        assert_eq!(class.classes().collect::<Vec<_>>(), vec![&b"a"[..], b"bc"]);
    }

    #[test]
    fn user_class_that_is_no_list_is_bare_and_whole() {
        for data in [&b"iPXE"[..], b"\x05abc", b"\x00", b"\x01a\x00"] {
            let class = UserClass::decode(data).unwrap();
            assert_eq!(class.form(), UserClassForm::Bare, "{data:?}");
            assert_eq!(class.classes().collect::<Vec<_>>(), vec![data]);
        }
    }

    #[test]
    fn empty_user_class_holds_no_class() {
        assert_eq!(UserClass::decode(b"").unwrap().classes().count(), 0);
    }
}
