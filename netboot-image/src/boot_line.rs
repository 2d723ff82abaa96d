//! Kernel command lines, and the scripts in which builders write them down: `netboot.ipxe`, `kexec-boot` and
//! `pxelinux.cfg/default`.
//!
//! A script comes in as text and goes out as a [`BootLine`]: which file is the kernel, which are the initial RAM disks,
//! and the kernel's arguments. iPXE's grammar is followed as far as such a script needs it: white space splits, nothing
//! quotes, a backslash joins lines, `#` at the beginning of a token ends the line, `||`, `&&` and `;` end a command.
//! Nothing is fetched and nothing is run.

/// What a script boots.
///
/// `initrd=` is left out of the arguments, since whoever writes the boot script must make it fit the names there;
/// `init=` and `rdinit=` are kept to the letter.
///
/// ```
/// use netboot_image::BootLine;
///
/// let line = BootLine::from_ipxe(
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

impl BootLine {
    /// Reads an iPXE script with one kernel, such as nixpkgs' `netboot.ipxe`.
    ///
    /// `${cmdline}` is dropped: it is where the person at the machine may add to the line.
    ///
    /// # Errors
    /// That it is no iPXE script, has no kernel or several, or depends on another setting.
    pub fn from_ipxe(script: &str) -> Result<Self, BootLineError> {
        let magic = script
            .strip_prefix("#!ipxe")
            .or_else(|| script.strip_prefix("#!gpxe"));
        if !magic.is_some_and(|rest| rest.starts_with(char::is_whitespace)) {
            return Err(BootLineError::Kind {
                expected: "iPXE script",
            });
        }
        let mut kernel: Option<(String, Vec<String>)> = None;
        let mut initrds = Vec::new();
        for (line, text) in joined_lines(script) {
            let tokens = text
                .split_ascii_whitespace()
                .take_while(|token| !token.starts_with('#'));
            let tokens: Vec<&str> = tokens.collect();
            for command in tokens.split(|token| matches!(*token, "||" | "&&" | ";")) {
                let command = match command {
                    [label, rest @ ..] if label.starts_with(':') => rest,
                    whole => whole,
                };
                let Some((&verb, arguments)) = command.split_first() else {
                    continue;
                };
                match verb {
                    "kernel" | "imgselect" | "imgload" => {
                        let Some((uri, arguments)) = positionals(arguments).split_first() else {
                            continue;
                        };
                        if kernel.is_some() {
                            return Err(BootLineError::SecondKernel { line });
                        }
                        kernel = Some((settled(uri, line)?, settled_all(arguments, line)?));
                    }
                    "initrd" | "module" | "imgfetch" => {
                        if let Some(uri) = positionals(arguments).first() {
                            initrds.push(settled(uri, line)?);
                        }
                    }
                    "imgargs" => {
                        if let (Some((_, known)), Some((_, arguments))) =
                            (&mut kernel, arguments.split_first())
                        {
                            *known = settled_all(arguments, line)?;
                        }
                    }
                    _ => {}
                }
            }
        }
        let (kernel, arguments) = kernel.ok_or(BootLineError::NoKernel)?;
        Ok(Self {
            kernel,
            initrds,
            cmdline: without_initrd(&arguments.join(" "))?,
        })
    }

    /// Reads the `kexec-boot` of nixpkgs' kexec tree: the files that `kexec --load` names, and its `--command-line`.
    ///
    /// # Errors
    /// That it calls no `kexec`, or that its command line is made when it runs.
    pub fn from_kexec(script: &str) -> Result<Self, BootLineError> {
        let expected = BootLineError::Kind {
            expected: "kexec script with --load, --initrd and --command-line",
        };
        let found = joined_lines(script).find(|(_, text)| text.contains("--command-line"));
        let (line, text) = found.ok_or_else(|| expected.clone())?;
        let value = |option: &str| {
            let rest = text
                .split_once(option)?
                .1
                .trim_start_matches(['=', ' ', '\t']);
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
            match quote {
                Some(quote) => rest.get(1..)?.split_once(quote).map(|(value, _)| value),
                None => rest.split_ascii_whitespace().next(),
            }
        };
        // Only the name counts: the directory is the script's own, which it works out when it runs.
        let name = |option: &str| {
            value(option)?
                .rsplit('/')
                .next()
                .filter(|name| !name.is_empty())
        };
        let (Some(kernel), Some(initrd), Some(arguments)) =
            (name("--load"), name("--initrd"), value("--command-line"))
        else {
            return Err(expected);
        };
        let mut words = Vec::new();
        for text in [kernel, initrd, arguments] {
            words.push(settled(text, line)?);
        }
        let [kernel, initrd, arguments] = words.try_into().map_err(|_| expected)?;
        Ok(Self {
            kernel,
            initrds: vec![initrd],
            cmdline: without_initrd(&arguments)?,
        })
    }
}

impl BootLine {
    /// Reads a PXELINUX configuration with one kernel, such as Ubuntu's `pxelinux.cfg/default`: `KERNEL` or `LINUX`,
    /// `INITRD` or the `initrd=` of `APPEND`, several of them with commas between. Keywords are of either case, and an
    /// `APPEND` before the first `LABEL` is for a label without one (the SYSLINUX wiki's page on configuration).
    ///
    /// # Errors
    /// [`BootLineError::NoKernel`] or [`BootLineError::SecondKernel`], as of a menu.
    pub fn from_pxelinux(configuration: &str) -> Result<Self, BootLineError> {
        let (mut kernel, mut initrds, mut append) = (None, None, None);
        for (line, text) in (1..).zip(configuration.lines()) {
            let text = text.trim();
            let (keyword, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
            let value = value.trim();
            match keyword.to_ascii_lowercase().as_str() {
                "kernel" | "linux" if kernel.is_some() => {
                    return Err(BootLineError::SecondKernel { line });
                }
                "kernel" | "linux" if !value.is_empty() => kernel = Some(value.to_owned()),
                "initrd" => initrds = Some(value),
                "append" => append = Some(value),
                _ => {}
            }
        }
        let words = split_cmdline(append.unwrap_or_default())?;
        let named = words.iter().find_map(|word| word.strip_prefix("initrd="));
        let initrds = initrds.or(named).unwrap_or_default().split(',');
        Ok(Self {
            kernel: kernel.ok_or(BootLineError::NoKernel)?,
            initrds: initrds
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            cmdline: without_initrd(append.unwrap_or_default())?,
        })
    }
}

/// Splits a kernel command line into its arguments as the kernel does: at white space outside of double quotes.
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

/// The lines of a script with those joined that end in a backslash; each with the number of its first line.
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

/// What follows the options of a command that loads an image: `-n NAME`, `-t MS`, `-q`, `-a` and their long forms.
fn positionals<'a, 'b>(arguments: &'a [&'b str]) -> &'a [&'b str] {
    let mut rest = arguments;
    while let Some((&option, after)) = rest.split_first() {
        rest = match option {
            "--" => return after,
            "-n" | "--name" | "-t" | "--timeout" => after.get(1..).unwrap_or_default(),
            _ if option.starts_with('-') => after,
            _ => return rest,
        };
    }
    rest
}

fn settled_all(tokens: &[&str], line: usize) -> Result<Vec<String>, BootLineError> {
    tokens
        .iter()
        .filter(|token| **token != "${cmdline}")
        .map(|token| settled(token, line))
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn cmdline(script: &str) -> Result<Vec<String>, BootLineError> {
        BootLine::from_ipxe(script).map(|line| line.cmdline)
    }

    #[test]
    fn a_script_with_absolute_urls_and_options_is_read() {
        let line = BootLine::from_ipxe(
            "#!ipxe\n:retry kernel --name k -t 5000 https://host/x/bzImage-x86_64-linux \\\n  init=/nix/store/a/init \
             initrd=initrd-x86_64-linux nohibernate || goto retry # again\ninitrd -n i https://host/x/initrd-x86_64-linux\nboot\n",
        );
        let line = line.expect("a boot line");
        assert_eq!(line.kernel, "https://host/x/bzImage-x86_64-linux");
        assert_eq!(line.initrds, ["https://host/x/initrd-x86_64-linux"]);
        assert_eq!(line.cmdline, ["init=/nix/store/a/init", "nohibernate"]);
    }

    #[test]
    fn init_and_rdinit_are_kept_to_the_letter() {
        let script = "#!ipxe\nkernel k rdinit=/nix/store/q1-x//init  init=/a=b,c\n";
        assert_eq!(
            cmdline(script),
            Ok(vec![
                "rdinit=/nix/store/q1-x//init".to_owned(),
                "init=/a=b,c".to_owned()
            ])
        );
    }

    #[test]
    fn a_script_that_depends_on_the_machine_is_refused_with_the_setting() {
        assert_eq!(
            cmdline("#!ipxe\nkernel k ${cmdline} a\n"),
            Ok(vec!["a".to_owned()])
        );
        assert_eq!(
            cmdline("#!ipxe\n\nkernel k ip=${net0/ip}\n"),
            Err(BootLineError::Setting {
                line: 3,
                setting: "${net0/ip}".to_owned()
            })
        );
    }

    #[test]
    fn a_script_without_one_kernel_is_refused() {
        assert_eq!(
            cmdline("kernel k\n"),
            Err(BootLineError::Kind {
                expected: "iPXE script"
            })
        );
        assert_eq!(
            cmdline("#!ipxe\n# kernel k\n"),
            Err(BootLineError::NoKernel)
        );
        assert_eq!(cmdline("#!ipxe\nkernel\n"), Err(BootLineError::NoKernel));
        assert_eq!(
            cmdline("#!ipxe\nkernel a\nkernel b\n"),
            Err(BootLineError::SecondKernel { line: 3 })
        );
        assert_eq!(cmdline("#!ipxe\nkernel k \"a\n"), Err(BootLineError::Quote));
    }

    #[test]
    fn the_arguments_may_come_later() {
        let script = "#!ipxe\nkernel k a\nimgargs k b initrd=i c\n";
        assert_eq!(cmdline(script), Ok(vec!["b".to_owned(), "c".to_owned()]));
    }

    #[test]
    fn a_pxelinux_configuration_with_one_kernel_is_read_and_a_menu_refused() {
        let ubuntu = "DEFAULT install\nLABEL install\n  KERNEL linux\n  INITRD initrd\n  \
            APPEND root=/dev/ram0 ip=dhcp iso-url=https://host/live.iso ---\n";
        let line = BootLine::from_pxelinux(ubuntu).expect("a boot line");
        assert_eq!(
            (line.kernel.as_str(), line.initrds),
            ("linux", vec!["initrd".to_owned()])
        );
        assert_eq!(
            line.cmdline,
            [
                "root=/dev/ram0",
                "ip=dhcp",
                "iso-url=https://host/live.iso",
                "---"
            ]
        );
        let older =
            "append vga=788 initrd=a/initrd.gz,b/more.gz -- quiet\nlabel linux\n\tkernel a/linux\n";
        let line = BootLine::from_pxelinux(older).expect("a boot line");
        assert_eq!(line.initrds, ["a/initrd.gz", "b/more.gz"]);
        assert_eq!(line.cmdline, ["vga=788", "--", "quiet"]);
        let menu = format!("{ubuntu}LABEL two\nLINUX other\n");
        assert_eq!(
            BootLine::from_pxelinux(&menu),
            Err(BootLineError::SecondKernel { line: 7 })
        );
        for none in ["", "include menu.cfg\ndefault vesamenu.c32\n", "kernel\n"] {
            assert_eq!(BootLine::from_pxelinux(none), Err(BootLineError::NoKernel));
        }
    }

    #[test]
    fn a_kexec_script_is_read() {
        let script = "#!/usr/bin/env bash\nset -e\nkexec --load ${SCRIPT_DIR}/bzImage \\\n  \
            --initrd=${SCRIPT_DIR}/initrd.gz \\\n  --command-line \"init=/nix/store/a/init loglevel=4\"\nkexec -e\n";
        let line = BootLine::from_kexec(script).expect("a boot line");
        assert_eq!(
            (line.kernel.as_str(), line.initrds),
            ("bzImage", vec!["initrd.gz".to_owned()])
        );
        assert_eq!(line.cmdline, ["init=/nix/store/a/init", "loglevel=4"]);
        let made = script.replace("loglevel=4", "$EXTRA");
        assert!(matches!(
            BootLine::from_kexec(&made),
            Err(BootLineError::Setting { line: 3, .. })
        ));
        assert!(matches!(
            BootLine::from_kexec("#!/bin/sh\n"),
            Err(BootLineError::Kind { .. })
        ));
        assert!(matches!(
            BootLine::from_kexec("kexec --command-line"),
            Err(BootLineError::Kind { .. })
        ));
    }
}
