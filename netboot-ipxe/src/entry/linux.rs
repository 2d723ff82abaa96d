//! A Linux to boot.

use alloc::{string::String, vec::Vec};

use super::{Ending, Retry};
use crate::{
    arg::Arg,
    assemble::{self, Single},
    cmdline::CommandLine,
    error::RenderError,
    script::Script,
};

/// A Linux kernel with its initrds.
///
/// ```
/// use netboot_ipxe::{Ending, LinuxBoot};
///
/// let script = LinuxBoot::new("Debian 12", "http://192.168.100.1/images/debian/bzImage")
///     .initrd("initrd", "http://192.168.100.1/images/debian/initrd")
///     .arg("console=ttyS0")
///     .script(Ending::Shell)?
///     .render()?;
/// assert!(script.contains(
///     "kernel --name bzImage http://192.168.100.1/images/debian/bzImage initrd=initrd console=ttyS0 ||"
/// ));
/// # Ok::<(), netboot_ipxe::RenderError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub struct LinuxBoot {
    pub(crate) what: Arg,
    pub(crate) kernel: Arg,
    pub(crate) kernel_signature: Option<Arg>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) args: CommandLine,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) initrds: Vec<Initrd>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) retry: Retry,
    pub(crate) hint: Option<Arg>,
    pub(crate) signer: Option<Arg>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields)
)]
pub(crate) struct Initrd {
    pub(crate) name: String,
    pub(crate) url: Arg,
    pub(crate) signature: Option<Arg>,
}

impl LinuxBoot {
    /// `what` is shown on the console; `kernel` is the kernel's URL.
    #[must_use]
    pub fn new(what: impl Into<Arg>, kernel: impl Into<Arg>) -> Self {
        Self {
            what: what.into(),
            kernel: kernel.into(),
            kernel_signature: None,
            args: CommandLine::new(),
            initrds: Vec::new(),
            retry: Retry::default(),
            hint: None,
            signer: None,
        }
    }

    /// Adds an initrd under the name that iPXE is to know it by: ASCII letters, digits and
    /// `._-`, and no two the same but for upper and lower case.
    ///
    /// `initrd=NAME` is put before the kernel's other arguments, for this one and all others:
    /// under UEFI the kernel finds no initrd without it, elsewhere it does no harm.
    #[must_use]
    pub fn initrd(mut self, name: &str, url: impl Into<Arg>) -> Self {
        self.initrds.push(Initrd {
            name: name.into(),
            url: url.into(),
            signature: None,
        });
        self
    }

    /// Adds one argument for the kernel. `initrd=…` is left out, since the entry writes its own.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<Arg>) -> Self {
        self.args.push(arg);
        self
    }

    /// Adds arguments for the kernel, in order.
    #[must_use]
    pub fn args(mut self, line: &CommandLine) -> Self {
        self.args.extend(line.args().iter().cloned());
        self
    }

    /// How often it is tried.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// What to look at when it fails, for the person at the console. Default: the kernel's URL.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Arg>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Has the kernel checked against the detached signature at `url` before anything runs. Needs
    /// a build of iPXE with `imgverify`; Debian 12's has none.
    #[must_use]
    pub fn kernel_signature(mut self, url: impl Into<Arg>) -> Self {
        self.kernel_signature = Some(url.into());
        self
    }

    /// The same for the initrd added last; without effect where there is none.
    #[must_use]
    pub fn initrd_signature(mut self, url: impl Into<Arg>) -> Self {
        if let Some(initrd) = self.initrds.last_mut() {
            initrd.signature = Some(url.into());
        }
        self
    }

    /// The common name that signatures must be by; any trusted one where absent.
    #[must_use]
    pub fn signer(mut self, name: impl Into<Arg>) -> Self {
        self.signer = Some(name.into());
        self
    }

    /// A script that boots this at once.
    ///
    /// # Errors
    ///
    /// Where a text, a name, a URL or an argument cannot be written; the error names it.
    pub fn script(&self, ending: Ending) -> Result<Script, RenderError> {
        assemble::single(Single::Linux(self), ending)
    }
}
