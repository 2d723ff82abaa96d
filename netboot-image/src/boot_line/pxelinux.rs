//! PXELINUX configurations.

use super::{BootLine, BootLineError, split_cmdline, without_initrd};

impl BootLine {
    /// Reads a PXELINUX configuration with one kernel, such as Ubuntu's `pxelinux.cfg/default`:
    /// `KERNEL` or `LINUX`, `INITRD` or the `initrd=` of `APPEND`, several of them with commas
    /// between. Keywords are of either case, and an `APPEND` before the first `LABEL` is for a
    /// label without one (the SYSLINUX wiki's page on configuration).
    ///
    /// # Errors
    /// [`BootLineError::NoKernel`] or [`BootLineError::SecondKernel`], as of a menu.
    pub fn parse_pxelinux(configuration: &str) -> Result<Self, BootLineError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pxelinux_configuration_with_one_kernel_is_read_and_a_menu_refused() {
        let ubuntu = "DEFAULT install\nLABEL install\n  KERNEL linux\n  INITRD initrd\n  \
            APPEND root=/dev/ram0 ip=dhcp iso-url=https://host/live.iso ---\n";
        let line = BootLine::parse_pxelinux(ubuntu).expect("a boot line");
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
        let line = BootLine::parse_pxelinux(older).expect("a boot line");
        assert_eq!(line.initrds, ["a/initrd.gz", "b/more.gz"]);
        assert_eq!(line.cmdline, ["vga=788", "--", "quiet"]);
        let menu = format!("{ubuntu}LABEL two\nLINUX other\n");
        assert_eq!(
            BootLine::parse_pxelinux(&menu),
            Err(BootLineError::SecondKernel { line: 7 })
        );
        for none in ["", "include menu.cfg\ndefault vesamenu.c32\n", "kernel\n"] {
            assert_eq!(BootLine::parse_pxelinux(none), Err(BootLineError::NoKernel));
        }
    }
}
