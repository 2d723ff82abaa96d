//! Option 90: authentication of DHCP messages (RFC 3118 section 2). It is read and written here,
//! and nothing is checked by it.

use super::{Value, ValueError};
use alloc::vec::Vec;
use bytes::Bytes;

/// What a message is authenticated by.
///
/// ```
/// use netboot_dhcp::value::{Authentication, Value};
///
/// // A reconfiguration key (RFC 6704 section 3.1.2), cut short.
/// let data = [3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 7, 1, 0xaa];
/// let authentication = Authentication::decode(&data)?;
/// assert_eq!((authentication.protocol, authentication.replay), (3, 7));
/// assert_eq!(authentication.information[..], [1, 0xaa]);
/// # Ok::<(), netboot_dhcp::value::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authentication {
    /// The technique: 0 a token, 1 delayed authentication, 3 a reconfiguration key (RFC 6704).
    pub protocol: u8,
    /// The algorithm, as the protocol numbers them.
    pub algorithm: u8,
    /// How replays are detected: 0 by a counter that only grows.
    pub replay_method: u8,
    /// The counter, or what else the method has.
    pub replay: u64,
    /// The rest, as protocol and algorithm have it.
    pub information: Bytes,
}

impl Value for Authentication {
    fn decode(data: &[u8]) -> Result<Self, ValueError> {
        let Some((head, information)) = data.split_first_chunk::<11>() else {
            let (least, found) = (11, data.len());
            return Err(ValueError::TooShort { least, found });
        };
        let [protocol, algorithm, replay_method, replay @ ..] = *head;
        Ok(Self {
            protocol,
            algorithm,
            replay_method,
            replay: u64::from_be_bytes(replay),
            information: Bytes::copy_from_slice(information),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend([self.protocol, self.algorithm, self.replay_method]);
        out.extend(self.replay.to_be_bytes());
        out.extend_from_slice(&self.information);
    }
}
