//! Texts that end in a script, a message or a name: what they may hold.

use super::super::document::Place;
use super::super::problem::Problems;

/// Says so where a text for people cannot be written into a script.
pub(super) fn check_text(text: &str, place: Place, problems: &mut Problems) {
    if let Err(error) = netboot_ipxe::Menu::new(text)
        .item(netboot_ipxe::Item::shell("item", text))
        .script()
        .and_then(|script| script.render())
    {
        problems.error(
            place,
            format!("{text:?} {}", error.problem()),
            "write one line of plain text",
        );
    }
}

pub(super) fn check_url(url: &str, place: Place, problems: &mut Problems) {
    let chain = netboot_ipxe::Chain::new("item", url);
    if let Err(error) = chain
        .script(netboot_ipxe::Ending::Exit {
            status: 1,
            wait_ms: 0,
        })
        .and_then(|script| script.render())
    {
        problems.error(
            place,
            format!("{url:?} {}", error.problem()),
            "write a URL such as http://192.168.100.1/other.ipxe",
        );
    }
}

pub(super) fn is_domain(name: &str) -> bool {
    name.len() <= 253 && name.trim_end_matches('.').split('.').all(is_host_name)
}

pub(super) fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 63
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}
