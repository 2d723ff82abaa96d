//! Values that have a form of their own in a document, and what each kind of value is in words.

use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::time::Duration;

use netboot_dhcp::MacAddr;
use netboot_dhcp::server::Subnet;
use netboot_image::{ImageName, split_cmdline};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::super::field::Wanted;
use super::super::{
    Allow, Circuit, INFINITE_LEASE, Identify, LocalBoot, Mode, ProgramChoice, Secrets, Then,
    Unknown,
};

/// How long an address is lent: seconds, or text such as `12h`, `1d` and `infinite`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct LeaseTime(pub(in crate::config) Duration);

/// How long an OFFER to firmware is held back: milliseconds, or text such as `1s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) struct ReplyDelay(pub(in crate::config) Duration);

/// Seconds until the default item is taken, or text such as `1m`; 0 waits for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(in crate::config) struct MenuTimeout(pub(in crate::config) u16);

/// How many there may be, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub(in crate::config) struct Count(pub(in crate::config) NonZeroU16);

/// A block of TFTP, in bytes, as RFC 2348 allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(in crate::config) struct Blksize(pub(in crate::config) u16);

/// Words for a kernel: one text split as the kernel does, at white space outside of double quotes,
/// or a list of words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub(in crate::config) struct CommandLine(pub(in crate::config) Vec<String>);

impl Wanted for Ipv4Addr {
    const WANTED: &'static str = "an IPv4 address such as 192.168.100.1";
}

impl Wanted for Vec<Ipv4Addr> {
    const WANTED: &'static str = "a list of IPv4 addresses such as [\"192.168.100.1\"]";
}

impl Wanted for MacAddr {
    const WANTED: &'static str = "a MAC address such as 52:54:00:12:34:56";
}

impl Wanted for ImageName {
    const WANTED: &'static str =
        "an image name of letters, digits, `-`, `_` and `.`, such as proxmox-host";
}

impl Wanted for Subnet {
    const WANTED: &'static str = "a subnet such as 192.168.100.0/24";
}

impl Wanted for LeaseTime {
    const WANTED: &'static str =
        "a time such as \"12h\", \"30m\", \"1d\" or a number of seconds, or \"infinite\"";
}

impl Wanted for ReplyDelay {
    const WANTED: &'static str = "a time such as \"1s\" or a number of milliseconds";
}

impl Wanted for bool {
    const WANTED: &'static str = "true or false";
}

impl Wanted for Mode {
    const WANTED: &'static str = "\"authoritative\" or \"proxy\"";
}

impl Wanted for Secrets {
    const WANTED: &'static str = "\"proven\" or \"claimable\"";
}

impl Wanted for MenuTimeout {
    const WANTED: &'static str =
        "whole seconds from 0 (wait for ever) to 65535, or a time such as \"1m\"";
}

impl Wanted for CommandLine {
    const WANTED: &'static str = "one text, or a list of texts";
}

impl Wanted for NonZeroU16 {
    const WANTED: &'static str = "a port number from 1 to 65535";
}

impl Wanted for Count {
    const WANTED: &'static str = "a whole number from 1 to 65535";
}

impl Wanted for Blksize {
    const WANTED: &'static str = "a whole number of bytes from 8 to 65464";
}

impl Wanted for Allow {
    const WANTED: &'static str = "\"any\" or \"known\"";
}

impl Wanted for Unknown {
    const WANTED: &'static str = "\"menu\", \"local\" or \"silent\"";
}

impl Wanted for Identify {
    const WANTED: &'static str = "\"lease\" or \"neighbour\"";
}

impl Wanted for Then {
    const WANTED: &'static str = "\"local\" or \"config\"";
}

impl Wanted for LocalBoot {
    const WANTED: &'static str = "\"sanboot\" or \"exit\"";
}

impl Wanted for ProgramChoice {
    const WANTED: &'static str = "the name of a file in the folder tftp/, such as \"snponly.efi\", \
                                  or one a platform, such as { bios = \"undionly.kpxe\", x64 = \
                                  \"snponly.efi\" }";
}

impl Wanted for Uuid {
    const WANTED: &'static str = "a UUID such as 4c4c4544-0042-3510-8052-b4c04f4d3232";
}

impl Wanted for Circuit {
    const WANTED: &'static str =
        "the circuit as the relay agent says it, a text or its bytes such as \"0x000401f40003\"";
}

/// A number of some unit, or a text that says its own.
#[derive(Deserialize)]
#[serde(untagged, expecting = "it is neither text nor a number")]
enum Time {
    Number(u32),
    Text(String),
}

/// The word of dnsmasq for [`INFINITE_LEASE`].
const INFINITE: &str = "infinite";

/// A time as people write it, such as `90s`, `45m`, `12h`, `1d`, `2w` or `1d 12h`.
fn time(text: &str) -> Result<Duration, jiff::Error> {
    let span: jiff::Span = text.trim().parse()?;
    span.to_duration(jiff::SpanRelativeTo::days_are_24_hours())?
        .try_into()
}

impl<'de> Deserialize<'de> for LeaseTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let duration = match Time::deserialize(deserializer)? {
            Time::Number(seconds) => Duration::from_secs(seconds.into()),
            Time::Text(text) if text == INFINITE => INFINITE_LEASE,
            Time::Text(text) => time(&text).map_err(serde::de::Error::custom)?,
        };
        if duration < Duration::from_secs(120) || duration > INFINITE_LEASE {
            return Err(serde::de::Error::custom(
                "it is not between two minutes and 136 years",
            ));
        }
        Ok(Self(Duration::from_secs(duration.as_secs())))
    }
}

impl<'de> Deserialize<'de> for Blksize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = u16::deserialize(deserializer)?;
        if !(8..=65_464).contains(&bytes) {
            return Err(serde::de::Error::custom(
                "RFC 2348 has blocks of 8 to 65464 bytes",
            ));
        }
        Ok(Self(bytes))
    }
}

impl<'de> Deserialize<'de> for ReplyDelay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let delay = match Time::deserialize(deserializer)? {
            Time::Number(millis) => Duration::from_millis(millis.into()),
            Time::Text(text) => time(&text).map_err(serde::de::Error::custom)?,
        };
        if delay > Duration::from_secs(10) {
            return Err(serde::de::Error::custom("it is more than 10 seconds"));
        }
        Ok(Self(delay))
    }
}

impl Serialize for ReplyDelay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Serialize for LeaseTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            INFINITE_LEASE => serializer.serialize_str(INFINITE),
            lasts => serializer.serialize_u64(lasts.as_secs()),
        }
    }
}

impl<'de> Deserialize<'de> for MenuTimeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = match Time::deserialize(deserializer)? {
            Time::Number(seconds) => seconds.into(),
            Time::Text(text) => time(&text).map_err(serde::de::Error::custom)?.as_secs(),
        };
        let fits = u16::try_from(seconds);
        fits.map(Self)
            .map_err(|_| serde::de::Error::custom("it is more than 65535 seconds"))
    }
}

impl<'de> Deserialize<'de> for CommandLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "it is neither a text nor a list of texts")]
        enum Written {
            Text(String),
            Words(Vec<String>),
        }
        Ok(Self(match Written::deserialize(deserializer)? {
            // A quote that is not closed is told of the word that it stands in.
            Written::Text(text) => split_cmdline(&text)
                .unwrap_or_else(|_| text.split_whitespace().map(String::from).collect()),
            Written::Words(words) => words,
        }))
    }
}
