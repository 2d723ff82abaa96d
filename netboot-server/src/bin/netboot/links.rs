//! The names that this command had as scripts: a link of such a name is that command.

use std::ffi::OsString;
use std::path::Path;

/// What each link is short for.
const LINKS: [(&str, &[&str]); 4] = [
    ("netboot-generate", &["image", "generate"]),
    ("netboot-update-menu", &["menu", "--update"]),
    ("netboot-status", &["status"]),
    ("netboot-logs", &["events", "--follow"]),
];

/// The arguments with a link's name written out.
pub(super) fn written_out(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let name = arguments.first().map(Path::new).and_then(Path::file_name);
    let link = LINKS.iter().find(|(link, _)| name == Some(link.as_ref()));
    if let Some((_, meant)) = link {
        let meant = ["netboot"].iter().chain(*meant).map(Into::into);
        arguments.splice(..1, meant);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_written_out_and_keeps_its_arguments() {
        for (called, meant) in [
            (
                "/usr/bin/netboot-logs --mac x",
                "netboot events --follow --mac x",
            ),
            ("netboot-generate a b", "netboot image generate a b"),
            ("/usr/bin/netboot status", "/usr/bin/netboot status"),
            ("", ""),
        ] {
            let words =
                |line: &str| -> Vec<OsString> { line.split_whitespace().map(Into::into).collect() };
            assert_eq!(written_out(words(called)), words(meant));
        }
    }
}
