//! One-time tokens: by which a machine proves that it is the one that was told to install itself.
//!
//! A token is a keyed digest of the machine's name and the install's number, so nothing has to be
//! kept of it: when the install is reported, the number is another.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::parse_hex;
use crate::failure::Failure;
use crate::files;
use crate::state_dir;

/// The key of all tokens.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret([u8; 64]);

impl Secret {
    /// The secret of a state folder; where there is none yet it is made, readable by this user
    /// only.
    ///
    /// # Errors
    ///
    /// Where it cannot be read or made, or is damaged.
    pub(crate) fn open(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("secret");
        let failed = |why: &dyn fmt::Display| {
            Failure::new(
                format!("opening the secret of install tokens, {}", path.display()),
                why,
                "let this user read and write there; a secret that is damaged may be removed, and \
                 machines that install themselves right now start over",
            )
        };
        // Somebody else may make it at the same time.
        for _ in 0..2 {
            match files::read(&path) {
                Ok(bytes) => {
                    let bytes = bytes.try_into();
                    return bytes
                        .map(Self)
                        .map_err(|_| failed(&"it does not hold 64 bytes"));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(&error)),
            }
            match make(&path) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(failed(&error));
                }
                _ => {}
            }
        }
        Err(failed(&"it comes and goes"))
    }

    /// The token of a machine's install, in hex digits.
    pub(crate) fn token(&self, machine: &str, number: u64) -> String {
        let tag = self.mac(machine, number).finalize().into_bytes();
        tag.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether this is the token of the machine's install; how long it takes tells nothing of it.
    pub(crate) fn is_token(&self, token: &str, machine: &str, number: u64) -> bool {
        let tag = parse_hex(token).unwrap_or_default();
        self.mac(machine, number).verify_slice(&tag).is_ok()
    }

    fn mac(&self, machine: &str, number: u64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.0.into());
        mac.update(b"netboot install\0");
        mac.update(&number.to_be_bytes());
        mac.update(machine.as_bytes());
        mac
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Puts a new secret there, unless there is one by then.
fn make(path: &Path) -> std::io::Result<()> {
    let mut bytes = [0; 64];
    getrandom::fill(&mut bytes)?;
    state_dir::create(path, &bytes, 0o600)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_user_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = Secret::open(folder.path()).expect("a secret");
        assert_eq!(Secret::open(folder.path()).expect("the same"), secret);
        let data = folder.path().join("secret").metadata().expect("a file");
        assert_eq!((data.permissions().mode() & 0o777, data.len()), (0o600, 64));
        let other = tempfile::tempdir().expect("a folder");
        assert_ne!(Secret::open(other.path()).expect("another"), secret);
        assert_eq!(format!("{secret:?}"), "Secret");
    }

    #[test]
    fn a_secret_that_is_cut_off_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("secret"), [7; 63]).expect("a file");
        assert!(Secret::open(folder.path()).is_err());
    }

    #[test]
    fn a_token_is_the_keyed_digest_of_number_and_machine() {
        let secret = Secret([7; 64]);
        // By Python: hmac.new(bytes([7]*64), b"netboot install\0" + bytes(7) + b"\x01node",
        // "sha256").hexdigest()
        let token = "fd57b0f83e3f288bf0c2e6e07ce3c3b69a7c32010da6c3604ddb0db261aeadff";
        assert_eq!(secret.token("node", 1), token);
        assert!(secret.is_token(token, "node", 1));
        for (token, machine, number) in [
            (token, "node", 2),
            (token, "other", 1),
            (&token[2..], "node", 1),
            ("", "node", 1),
            ("zz", "node", 1),
        ] {
            assert!(
                !secret.is_token(token, machine, number),
                "{machine} {number}"
            );
        }
    }
}
