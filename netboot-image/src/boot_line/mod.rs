//! Kernel command lines, and the scripts in which builders write them down: `netboot.ipxe`
//! ([`ipxe`]), `kexec-boot` ([`kexec`]) and `pxelinux.cfg/default` ([`pxelinux`]).
//!
//! A script comes in as text and goes out as a [`BootLine`]: which file is the kernel, which are
//! the initial RAM disks, and the kernel's arguments. Nothing is fetched and nothing is run.

mod ipxe;
mod kexec;
mod pxelinux;

/// What a script boots.
///
/// `initrd=` is left out of the arguments, since whoever writes the boot script must make it fit
/// the names there; `init=` and `rdinit=` are kept to the letter.
///
/// ```
/// use netboot_image::BootLine;
///
/// let line = BootLine::parse_ipxe(
///     "#!ipxe\n# nixpkgs\nkernel bzImage init=/nix/store/0c5w-nixos/init initrd=initrd loglevel=4 ${cmdline}\n\
///      initrd initrd\nboot\n",
/// )?;
/// assert_eq!((line.kernel.as_str(), line.initrds.as_slice()), ("bzImage", &["initrd".to_owned()][..]));
/// assert_eq!(line.cmdline, ["init=/nix/store/0c5w-nixos/init", "loglevel=4"]);
/// # Ok::<(), netboot_image::BootLineError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BootLine {
    /// The kernel as the script names it: a path or a URL.
    pub kernel: String,
    /// The initial RAM disks as the script names them, in order.
    pub initrds: Vec<String>,
    /// The kernel's arguments, one an item.
    pub cmdline: Vec<String>,
}

/// Why a script does not say what is booted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BootLineError {
    /// It is no script of the kind.
    #[error("no {expected}")]
    Kind {
        /// What it should have been.
        expected: &'static str,
    },
    /// It loads no kernel.
    #[error("the script loads no kernel")]
    NoKernel,
    /// It loads several kernels, as a menu does.
    #[error("the script loads another kernel on line {line}")]
    SecondKernel {
        /// The line of the second one, from 1.
        line: usize,
    },
    /// A line depends on a setting whose value only the booting machine knows.
    #[error("line {line} depends on the setting {setting:?}")]
    Setting {
        /// The line, from 1.
        line: usize,
        /// What stands there, from `$` on, cut at 80 characters.
        setting: String,
    },
    /// A double quote in the kernel's arguments is not closed.
    #[error("a double quote in the kernel's arguments is not closed")]
    Quote,
}

/// Splits a kernel command line into its arguments as the kernel does: at white space outside of
/// double quotes.
///
/// ```
/// use netboot_image::split_cmdline;
///
/// let arguments = split_cmdline("  quiet dyndbg=\"file a.c +p\" console=ttyS0 ")?;
/// assert_eq!(arguments, ["quiet", "dyndbg=\"file a.c +p\"", "console=ttyS0"]);
/// # Ok::<(), netboot_image::BootLineError>(())
/// ```
///
/// # Errors
/// [`BootLineError::Quote`] when a double quote is not closed.
pub fn split_cmdline(line: &str) -> Result<Vec<String>, BootLineError> {
    let mut quoted = false;
    let arguments = line.split(|c: char| {
        if c == '"' {
            quoted = !quoted;
        }
        c.is_whitespace() && !quoted
    });
    let arguments = arguments
        .filter(|argument| !argument.is_empty())
        .map(str::to_owned)
        .collect();
    if quoted {
        Err(BootLineError::Quote)
    } else {
        Ok(arguments)
    }
}

/// The lines of a script with those joined that end in a backslash; each with the number of its
/// first line.
fn joined_lines(script: &str) -> impl Iterator<Item = (usize, String)> {
    let mut lines = (1..).zip(script.lines());
    std::iter::from_fn(move || {
        let (number, first) = lines.next()?;
        let mut joined = first.to_owned();
        while let Some(text) = joined.strip_suffix('\\') {
            joined.truncate(text.len());
            match lines.next() {
                Some((_, next)) => joined.push_str(next),
                None => break,
            }
        }
        Some((number, joined))
    })
}

/// The text, if it says the same on every machine.
fn settled(text: &str, line: usize) -> Result<String, BootLineError> {
    match text.find('$') {
        Some(at) => {
            let setting = text
                .get(at..)
                .unwrap_or_default()
                .chars()
                .take(80)
                .collect();
            Err(BootLineError::Setting { line, setting })
        }
        None => Ok(text.to_owned()),
    }
}

fn without_initrd(line: &str) -> Result<Vec<String>, BootLineError> {
    let mut arguments = split_cmdline(line)?;
    arguments.retain(|argument| !argument.starts_with("initrd="));
    Ok(arguments)
}
