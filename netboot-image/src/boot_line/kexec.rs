//! The script beside nixpkgs' kexec tree.

use super::{BootLine, BootLineError, joined_lines, settled, without_initrd};

impl BootLine {
    /// Reads the `kexec-boot` of nixpkgs' kexec tree: the files that `kexec --load` names, and its
    /// `--command-line`.
    ///
    /// # Errors
    /// That it calls no `kexec`, or that its command line is made when it runs.
    pub fn parse_kexec(script: &str) -> Result<Self, BootLineError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kexec_script_is_read() {
        let script = "#!/usr/bin/env bash\nset -e\nkexec --load ${SCRIPT_DIR}/bzImage \\\n  \
            --initrd=${SCRIPT_DIR}/initrd.gz \\\n  --command-line \"init=/nix/store/a/init loglevel=4\"\nkexec -e\n";
        let line = BootLine::parse_kexec(script).expect("a boot line");
        assert_eq!(
            (line.kernel.as_str(), line.initrds),
            ("bzImage", vec!["initrd.gz".to_owned()])
        );
        assert_eq!(line.cmdline, ["init=/nix/store/a/init", "loglevel=4"]);
        let made = script.replace("loglevel=4", "$EXTRA");
        assert!(matches!(
            BootLine::parse_kexec(&made),
            Err(BootLineError::Setting { line: 3, .. })
        ));
        assert!(matches!(
            BootLine::parse_kexec("#!/bin/sh\n"),
            Err(BootLineError::Kind { .. })
        ));
        assert!(matches!(
            BootLine::parse_kexec("kexec --command-line"),
            Err(BootLineError::Kind { .. })
        ));
    }
}
