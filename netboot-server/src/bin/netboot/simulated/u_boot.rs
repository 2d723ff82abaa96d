//! U-Boot's `dhcp; pxe get; pxe boot`: the names that it looks for a configuration by, and what it
//! makes of one, as its `cmd/pxe.c` and `boot/pxe_utils.c` have it.

use std::net::Ipv4Addr;

use netboot_dhcp::client::{Bound, Profile};
use netboot_server::Failure;

use super::fetch::{Fetcher, File};
use super::report::Report;
use super::{Ended, Machine};

/// U-Boot on 64-bit ARM, from power-on to what it boots.
pub(super) async fn boot(mut machine: Machine, report: &mut Report) -> Result<Ended, Failure> {
    let profile = Profile::u_boot(machine.mac);
    let (link, ports) = (&machine.link, machine.ports);
    let bound = link.dhcp("U-Boot", profile, ports, report).await?;
    // It looks at no option 66.
    let Some(server) = bound.next_server else {
        return Ok(Ended::stops("U-Boot was told no server (siaddr)"));
    };
    let fetcher = machine.fetcher(&bound)?;
    if !fetcher.servers.contains(&server) {
        let why = format!("the files are on {server}, which is not probed");
        return Ok(Ended::stops(why));
    }
    let folder = bound.file.as_deref().and_then(|file| file.rsplit_once('/'));
    let from = Tftp {
        folder: folder.map_or(String::new(), |(folder, _)| format!("{folder}/")),
        port: ports.tftp,
        fetcher,
        server,
    };
    let Some(file) = from.configuration(&machine, &bound, report).await else {
        return Ok(Ended::stops("there is no configuration for U-Boot"));
    };
    let config = match Config::parse(&String::from_utf8_lossy(&file.head)) {
        Ok(config) => config,
        Err(why) => return Ok(Ended::stops(format!("{}: {why}", file.url))),
    };
    if let Some(title) = &config.title {
        report.say("menu", title)?;
    }
    let choice = machine.choices.pop_front();
    let label = match config.choose(choice.as_deref()) {
        Ok(label) => label,
        Err(why) => return Ok(Ended::stops(why)),
    };
    report.say("says", &label.text)?;
    match (label.local, &label.kernel) {
        (Some(status), _) if status < 0 => {
            let why = format!("U-Boot goes on in its boot order: {}", label.text);
            Ok(Ended::stops(why))
        }
        (Some(_), _) => Ok(Ended::boots("the local disk")),
        (None, None) => Ok(Ended::stops(format!("label {} has no kernel", label.name))),
        (None, Some(kernel)) => {
            let initrd = match &label.initrd {
                Some(initrd) => Some(from.file(initrd, report).await?),
                None => None,
            };
            let kernel = from.file(kernel, report).await?;
            let mut what = format!("{} {}", kernel.url, label.append);
            let mut loaded = kernel.length;
            if let Some(initrd) = initrd {
                what.push_str(&format!(" + {}", initrd.url));
                loaded += initrd.length;
            }
            Ok(Ended::boots(what).after(loaded))
        }
    }
}

/// Where it loads files from.
struct Tftp {
    fetcher: Fetcher,
    server: Ipv4Addr,
    port: u16,
    /// The boot file's, which is put before every name, one with a slash before it too.
    folder: String,
}

impl Tftp {
    async fn file(&self, name: &str, report: &mut Report) -> Result<File, Failure> {
        let name = format!("{}{name}", self.folder);
        self.fetcher
            .tftp(self.server, self.port, &name, report)
            .await
    }

    /// The first of the configurations that is there. It asks for its `pxeuuid` before these, which
    /// is set by hand.
    async fn configuration(
        &self,
        machine: &Machine,
        bound: &Bound,
        report: &mut Report,
    ) -> Option<File> {
        let address = format!("{:08X}", bound.address.to_bits());
        let parts = (1..=address.len()).rev();
        let parts = parts.filter_map(|length| address.get(..length));
        let names = [format!("01-{}", machine.mac.dashed())].into_iter();
        let names = names.chain(parts.map(str::to_owned));
        for name in names.chain(["default-arm", "default"].map(str::to_owned)) {
            let name = format!("pxelinux.cfg/{name}");
            if let Ok(file) = self.file(&name, report).await {
                return Some(file);
            }
        }
        None
    }
}

/// A configuration.
#[derive(Debug, Default, PartialEq, Eq)]
struct Config {
    title: Option<String>,
    default: Option<String>,
    timeout: u32,
    /// Whether it is a menu that is shown.
    prompt: bool,
    labels: Vec<Label>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Label {
    name: String,
    text: String,
    kernel: Option<String>,
    initrd: Option<String>,
    append: String,
    local: Option<i32>,
}

impl Config {
    /// Reads it. What U-Boot does not know it passes over; a keyword with nothing behind it makes
    /// it refuse the whole file.
    fn parse(text: &str) -> Result<Self, String> {
        let mut config = Self::default();
        let mut in_label = false;
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            let (keyword, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            let (keyword, rest) = (keyword.to_ascii_lowercase(), rest.trim());
            let value = || match rest.starts_with('#') || rest.is_empty() {
                true => Err(format!("nothing stands behind {keyword}")),
                false => Ok(rest.to_owned()),
            };
            let number = |text: String| text.parse::<i32>().unwrap_or(0);
            let label = config.labels.last_mut().filter(|_| in_label);
            match (keyword.as_str(), label) {
                ("label", _) => {
                    let name = value()?;
                    config.labels.push(Label {
                        text: name.clone(),
                        name,
                        ..Label::default()
                    });
                    in_label = true;
                }
                ("kernel" | "linux", Some(label)) => label.kernel = Some(value()?),
                ("append", Some(label)) => label.append = value()?,
                ("initrd", Some(label)) => label.initrd = Some(value()?),
                ("localboot", Some(label)) => label.local = Some(number(value()?)),
                ("menu", Some(label)) => {
                    if let Some((word, text)) = rest.split_once(' ')
                        && word.eq_ignore_ascii_case("label")
                    {
                        if text.trim_start().starts_with('#') {
                            // A comment, which takes the end of its line along.
                            lines.next();
                        } else {
                            label.text = text.trim().to_owned();
                        }
                    }
                }
                ("menu", None) => {
                    config.prompt = true;
                    if let Some((word, text)) = rest.split_once(' ')
                        && word.eq_ignore_ascii_case("title")
                    {
                        if text.trim_start().starts_with('#') {
                            return Err("nothing stands behind menu title".to_owned());
                        }
                        config.title = Some(text.trim().to_owned());
                    }
                }
                ("timeout", _) => {
                    config.timeout = number(value()?).try_into().unwrap_or(0);
                    in_label = false;
                }
                ("default" | "ontimeout", _) => {
                    config.default = Some(value()?);
                    in_label = false;
                }
                ("" | "fdt" | "fdtdir" | "ipappend" | "kaslrseed", _) => {}
                // Any other word ends a label.
                _ => in_label = false,
            }
        }
        Ok(config)
    }

    /// The label that is booted: the one chosen by its name, its number or its text, else the
    /// default.
    fn choose(&self, choice: Option<&str>) -> Result<&Label, String> {
        if let Some(choice) = choice {
            let mut labels = self.labels.iter();
            let found = labels.find(|label| label.name == choice || label.text == choice);
            return found.ok_or_else(|| format!("the menu has no item {choice}"));
        }
        if self.prompt && self.timeout == 0 {
            return Err("the menu waits for a person; --choose names an item".to_owned());
        }
        let mut labels = self.labels.iter();
        let default = labels.find(|label| Some(&label.name) == self.default.as_ref());
        let first = default.or(self.labels.first());
        first.ok_or_else(|| "the configuration has no label".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of U-Boot's `doc/README.pxe`, shortened, and with what PXELINUX knows besides.
    const EXAMPLE: &str = "menu title Linux selections\nSAY hello\n\
        # This is the default label\nlabel install\n\tmenu label Default Install Image\n\
        \tkernel kernels/install.bin\n\tappend console=ttyAMA0,38400 debug earlyprintk\n\
        \tinitrd initrds/uzInitrdDebInstall\n\nlabel local\n\tmenu label Locally installed kernel\n\
        \tappend root=/dev/sdb1\n\tlocalboot 1\ntimeout 50\ndefault install\n";

    #[test]
    fn the_example_of_its_manual_is_read() {
        let config = Config::parse(EXAMPLE).expect("a configuration");
        assert!(config.prompt);
        assert_eq!(config.timeout, 50);
        let label = config.choose(None).expect("a label");
        assert_eq!(label.text, "Default Install Image");
        assert_eq!(label.kernel.as_deref(), Some("kernels/install.bin"));
        assert_eq!(label.append, "console=ttyAMA0,38400 debug earlyprintk");
        let local = config.choose(Some("local")).expect("a label");
        assert_eq!(local.local, Some(1));
    }

    /// `get_token` and `parse_label_menu` of U-Boot's `boot/pxe_utils.c`.
    #[test]
    fn a_text_that_begins_as_a_comment_does_is_none() {
        assert!(Config::parse("menu title # rack\nlabel a\nlinux k\n").is_err());
        let config = Config::parse("label a\nmenu label #1\nlinux k\ninitrd i\n");
        let config = config.expect("a configuration");
        let label = config.choose(None).expect("a label");
        assert_eq!(
            (label.kernel.as_deref(), label.initrd.as_deref()),
            (None, Some("i"))
        );
    }

    #[test]
    fn a_keyword_with_nothing_behind_it_is_refused_and_a_label_ends_at_an_unknown_one() {
        assert!(Config::parse("label a\nappend\n").is_err());
        let config = Config::parse("label a\nconfig x\nkernel k\n").expect("a configuration");
        assert_eq!(
            config.labels.first().and_then(|it| it.kernel.as_ref()),
            None
        );
    }
}
