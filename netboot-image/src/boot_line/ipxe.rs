//! iPXE scripts, as far as one that boots one kernel needs their grammar: white space splits,
//! nothing quotes, a backslash joins lines, `#` at the beginning of a token ends the line, `||`,
//! `&&` and `;` end a command.

use super::{BootLine, BootLineError, joined_lines, settled, without_initrd};

impl BootLine {
    /// Reads an iPXE script with one kernel, such as nixpkgs' `netboot.ipxe`.
    ///
    /// `${cmdline}` is dropped: it is where the person at the machine may add to the line.
    ///
    /// # Errors
    /// That it is no iPXE script, has no kernel or several, or depends on another setting.
    pub fn parse_ipxe(script: &str) -> Result<Self, BootLineError> {
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
}

/// What follows the options of a command that loads an image: `-n NAME`, `-t MS`, `-q`, `-a` and
/// their long forms.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn cmdline(script: &str) -> Result<Vec<String>, BootLineError> {
        BootLine::parse_ipxe(script).map(|line| line.cmdline)
    }

    #[test]
    fn a_script_with_absolute_urls_and_options_is_read() {
        let line = BootLine::parse_ipxe(
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
}
