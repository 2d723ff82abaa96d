//! Detached signatures, made and checked by the programs whose formats they are: `openssl` and
//! `gpg`.
//!
//! A CMS signature (RFC 5652) over one file is what iPXE's `imgverify` takes; an OpenPGP signature
//! (RFC 9580) is what distributions put beside their `SHA256SUMS`, which covers every file of an
//! image, `manifest.json` with its command line included. Nothing is signed unless a [`Signer`] is
//! given, and private keys stay where they are: only their paths go by here. What was signed is
//! checked once more before it counts.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whose signature is made, and in which form.
///
/// ```no_run
/// use std::path::Path;
/// use netboot_image::Signer;
///
/// let signer = Signer::Cms { certificate: "codesign.crt".into(), key: "/root/codesign.key".into() };
/// signer.sign(Path::new("bzImage"), Path::new("bzImage.p7s"))?;
/// # Ok::<(), netboot_image::SignatureError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signer {
    /// A detached CMS signature in DER by `openssl`. iPXE wants a certificate whose extended key
    /// usage is code signing.
    Cms {
        /// The signer's certificate, in PEM. It becomes part of the signature.
        certificate: PathBuf,
        /// Its private key, in PEM. `openssl` asks at the terminal for a passphrase where it has
        /// one.
        key: PathBuf,
    },
    /// A detached binary OpenPGP signature by `gpg`.
    OpenPgp {
        /// The key, in any way that `gpg --local-user` takes; its default key where there is none.
        key: Option<String>,
        /// The folder of its keys; `gpg`'s own choice where there is none.
        home: Option<PathBuf>,
    },
}

/// Whom to believe when a signature is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// CMS signatures by certificates that lead to one of these.
    Cms {
        /// Certificates in PEM.
        authorities: PathBuf,
    },
    /// OpenPGP signatures by these keys.
    OpenPgp {
        /// Public keys, as `gpg --export` writes them.
        keyring: PathBuf,
    },
}

/// Why a signature was not made, or is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The program is not installed.
    #[error("{program} is not installed; the Debian package {package} brings it")]
    NoProgram {
        /// Its name.
        program: &'static str,
        /// The package.
        package: &'static str,
    },
    /// The program could not be run.
    #[error("cannot run {program}")]
    Run {
        /// Its name.
        program: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file that is signed could not be read, or the signature not written.
    #[error("cannot open {path}")]
    Io {
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The program refused.
    #[error("{program} did not {action} {file}: {message}")]
    Refused {
        /// Its name.
        program: &'static str,
        /// "sign" or "verify".
        action: &'static str,
        /// The file that was to be signed, or whose signature was checked.
        file: PathBuf,
        /// What it said last, cut at 200 characters.
        message: String,
    },
    /// The private key is in the directory that is served.
    #[error("{key} is in the image store, which is served; keep keys elsewhere")]
    KeyInStore {
        /// The key or the folder of keys.
        key: PathBuf,
    },
    /// There is no signature of the form over the file.
    #[error("{file} is not signed")]
    Unsigned {
        /// The file.
        file: PathBuf,
    },
}

impl Signer {
    /// Signs a file, writes the signature to another, which must not exist yet, and checks what
    /// came out.
    ///
    /// # Errors
    /// That the program is missing or refused, or that its signature does not hold.
    pub fn sign(&self, file: &Path, signature: &Path) -> Result<(), SignatureError> {
        let mut command = Command::new(self.program());
        match self {
            Self::Cms { certificate, key } => command
                .args(["cms", "-sign", "-binary", "-noattr", "-outform", "DER"])
                .arg("-signer")
                .arg(certificate)
                .arg("-inkey")
                .arg(key),
            Self::OpenPgp { key, .. } => {
                self.in_home(&mut command);
                if let Some(key) = key {
                    command.arg("--local-user").arg(key);
                }
                command.args(["--output", "-", "--detach-sign", "-"])
            }
        };
        // The files are opened here: the program may have rights that this thread gave up.
        let unopened = |path: &Path| {
            let path = path.to_owned();
            move |source| SignatureError::Io { path, source }
        };
        command.stdin(File::open(file).map_err(unopened(file))?);
        command.stdout(File::create_new(signature).map_err(unopened(signature))?);
        if let Err(error) = run(command, self.program(), "sign", file) {
            // What there is of it is no signature.
            drop(fs::remove_file(signature));
            return Err(error);
        }
        let mut check = Command::new(self.program());
        match self {
            // Whether anybody trusts the certificate is not for the signer to say.
            Self::Cms { certificate, .. } => verify_cms(&mut check, file, signature)
                .args(["-noverify", "-nointern", "-certfile"])
                .arg(certificate),
            Self::OpenPgp { .. } => {
                self.in_home(&mut check);
                check.args(["--verify", "--"]).args([signature, file])
            }
        };
        run(check, self.program(), "verify", file)
    }

    /// What must not be in a directory that is served.
    #[cfg(all(unix, feature = "store"))]
    pub(crate) fn secret(&self) -> Option<&Path> {
        match self {
            Self::Cms { key, .. } => Some(key),
            Self::OpenPgp { home, .. } => home.as_deref(),
        }
    }

    fn program(&self) -> &'static str {
        match self {
            Self::Cms { .. } => "openssl",
            Self::OpenPgp { .. } => "gpg",
        }
    }

    fn in_home(&self, command: &mut Command) {
        command.args(["--batch", "--quiet"]);
        if let Self::OpenPgp {
            home: Some(home), ..
        } = self
        {
            command.arg("--homedir").arg(home);
        }
    }
}

impl Trust {
    /// Checks a detached signature over a file.
    ///
    /// # Errors
    /// That the program is missing, or that the signature does not hold or is by somebody else.
    pub fn verify(&self, file: &Path, signature: &Path) -> Result<(), SignatureError> {
        let (program, command) = match self {
            Self::Cms { authorities } => {
                let mut command = Command::new("openssl");
                // The purpose that `openssl` asks for by default is that of mail, which no
                // code-signing certificate has.
                verify_cms(&mut command, file, signature)
                    .args(["-purpose", "any", "-CAfile"])
                    .arg(authorities);
                ("openssl", command)
            }
            Self::OpenPgp { keyring } => {
                let mut command = Command::new("gpgv");
                // A name without a slash would be looked for among `gpg`'s own files.
                command
                    .arg("--keyring")
                    .arg(Path::new(".").join(keyring))
                    .arg("--")
                    .args([signature, file]);
                ("gpgv", command)
            }
        };
        run(command, program, "verify", file)
    }
}

fn verify_cms<'c>(command: &'c mut Command, file: &Path, signature: &Path) -> &'c mut Command {
    command
        .args(["cms", "-verify", "-binary", "-inform", "DER", "-in"])
        .arg(signature)
        .arg("-content")
        .arg(file)
        .args(["-out", "/dev/null"])
}

/// Runs the program, in the language that its messages are the same in everywhere.
fn run(
    mut command: Command,
    program: &'static str,
    action: &'static str,
    file: &Path,
) -> Result<(), SignatureError> {
    let output = command.env("LC_ALL", "C").output();
    let output = output.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => SignatureError::NoProgram {
            program,
            package: match program {
                "gpg" => "gnupg",
                itself => itself,
            },
        },
        _ => SignatureError::Run { program, source },
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    Err(SignatureError::Refused {
        program,
        action,
        file: file.to_owned(),
        message: match last {
            Some(line) => line.chars().filter(|c| !c.is_control()).take(200).collect(),
            None => output.status.to_string(),
        },
    })
}
