//! GRUB, by itself or behind shim: it asks for `grub.cfg` by the protocol that it was loaded by,
//! and carries out the one that this server writes. Its HTTP client is literal, as its
//! `grub-core/net/http.c` is: a file whose length does not stand behind `Content-Length: ` is none.

use netboot_dhcp::client::Bound;
use netboot_server::Failure;

use super::fetch::{Fetched, Fetcher, File, absolute};
use super::report::Report;
use super::{Ended, Machine};

/// Whether a program is GRUB or leads to it, as its name has it.
pub(super) fn is_it(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or_default();
    file.starts_with("shim") || file.starts_with("grub")
}

/// From the program to what it boots.
pub(super) async fn boot(
    machine: &mut Machine,
    bound: &Bound,
    fetcher: &Fetcher,
    program: &File,
    report: &mut Report,
) -> Result<Ended, Failure> {
    let server = bound.next_server.unwrap_or(bound.boot_server);
    let port = machine.ports.tftp;
    let by_http = program.url.starts_with("http://");
    let mut loaded = program.length;
    let file = program.url.rsplit('/').next().unwrap_or_default();
    if let Some(arch) = file.strip_prefix("shim") {
        let second = format!("grub{arch}");
        let second = match by_http {
            true => {
                fetcher
                    .get(&absolute(&program.url, &second), report)
                    .await?
            }
            false => {
                let folder = program.url.rsplit_once('/');
                let name = folder.map_or(second.clone(), |(it, _)| format!("{it}/{second}"));
                Fetched::File(fetcher.tftp(server, port, &name, report).await?)
            }
        };
        match second {
            Fetched::File(second) => loaded += second.length,
            Fetched::NotAsked(why) => return Ok(Ended::stops(why)),
        }
    }
    let config = match by_http {
        true => {
            let url = absolute(&program.url, "/grub/grub.cfg");
            fetcher.get_literally(&url, report).await?
        }
        false => fetcher.tftp(server, port, "grub/grub.cfg", report).await?,
    };
    let text = String::from_utf8_lossy(&config.head).into_owned();
    let choice = machine.choices.pop_front();
    let mut from = String::new();
    let mut what: Option<String> = None;
    let mut holds = true;
    for line in chosen(&text, choice.as_deref()) {
        let words = words(&line);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let words = match words.as_slice() {
            ["if", rest @ ..] => rest,
            words => words,
        };
        match words {
            ["fi"] => holds = true,
            _ if !holds => {}
            [set] if set.starts_with("set") => {}
            ["set", set] if set.starts_with("from=") => {
                from = set.trim_start_matches("from=").to_owned();
            }
            ["[", "-s", file, "]"] => {
                let url = url_of(file, "").unwrap_or_default();
                holds = fetcher.get_literally(&url, report).await.is_ok();
            }
            ["echo", text] => report.say("says", text)?,
            ["linux" | "initrd" | "chainloader", files @ ..] => {
                for file in files.iter().filter(|file| file.starts_with("$from")) {
                    let Some(url) = url_of(file, &from) else {
                        return Ok(Ended::stops(format!("{file} is by no protocol of GRUB's")));
                    };
                    let file = match url.strip_prefix("http://") {
                        Some(_) => fetcher.get_literally(&url, report).await?,
                        None => {
                            let name = url.splitn(4, '/').nth(3).unwrap_or_default();
                            fetcher.tftp(server, port, name, report).await?
                        }
                    };
                    loaded += file.length;
                    let before = what.map(|it| format!("{it} + ")).unwrap_or_default();
                    what = Some(format!("{before}{url}"));
                }
                let arguments = files.iter().filter(|file| !file.starts_with("$from"));
                for word in arguments {
                    what = what.map(|what| format!("{what} {word}"));
                }
            }
            ["boot"] => {
                if let Some(what) = what {
                    return Ok(Ended::boots(what).after(loaded));
                }
            }
            ["search", ..] => return Ok(Ended::boots("the local disk").after(loaded)),
            ["exit", ..] => {
                let what = "the next of the firmware's boot order";
                return Ok(Ended::boots(what).after(loaded));
            }
            ["reboot"] => return Ok(Ended::stops("GRUB restarts the machine").after(loaded)),
            _ => {}
        }
    }
    Ok(Ended::stops("GRUB stays at its prompt").after(loaded))
}

/// The lines that are carried out: those outside of all entries, and those of the entry that is
/// chosen by its text or its number, or the default.
fn chosen(text: &str, choice: Option<&str>) -> Vec<String> {
    let default = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("set default="));
    let wanted = choice.or(default).unwrap_or("0");
    let (mut lines, mut inside) = (Vec::new(), None);
    for line in text.lines().map(str::trim) {
        if line.starts_with("menuentry ") {
            let head = words(line);
            let is_it = head.get(1).is_some_and(|text| text == wanted)
                || head.get(3).is_some_and(|id| id == wanted);
            inside = Some(is_it);
        } else if line == "}" {
            inside = None;
        } else if inside.unwrap_or(true) {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// The words of a line of GRUB's shell: between `'` all is plain, a backslash makes the next so,
/// and `"` only joins.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut begun) = (Vec::new(), String::new(), false);
    let mut chars = line.chars();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '\'' => (quoted, begun) = (!quoted, true),
            c if quoted => word.push(c),
            '\\' => word.extend(chars.next()),
            '"' => begun = true,
            c if c.is_whitespace() => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => word.push(c),
        }
    }
    if begun || !word.is_empty() {
        words.push(word);
    }
    words
}

/// `(http,HOST)/PATH` as a URL, with what `$from` stands for.
fn url_of(file: &str, from: &str) -> Option<String> {
    let file = file.replacen("$from", from, 1);
    let (device, path) = file.strip_prefix('(')?.split_once(')')?;
    let (protocol, host) = device.split_once(',')?;
    Some(format!("{protocol}://{host}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_grubs_shell_does() {
        let line = r#"linux "$from"/images/x 'a b' 'it'\''s' c"#;
        let split = ["linux", "$from/images/x", "a b", "it's", "c"];
        assert_eq!(words(line), split);
    }

    #[test]
    fn a_file_is_on_the_device_that_is_named() {
        let url = url_of("$from/images/x", "(http,10.0.0.1:8080)");
        assert_eq!(url.as_deref(), Some("http://10.0.0.1:8080/images/x"));
        assert_eq!(url_of("/images/x", ""), None);
    }
}
