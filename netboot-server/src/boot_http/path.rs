//! The path of a URL, as it is compared with what is served.

use std::borrow::Cow;

const SEPARATORS: [char; 2] = ['/', '\\'];

/// The path with percent signs decoded, `\` taken as `/`, as by TFTP, and `//` folded, all in place,
/// since firmware fails on a redirect; one that leads up or out is refused.
pub(super) fn normal_path(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    let path = percent_encoding::percent_decode_str(raw)
        .decode_utf8()
        .map_err(|_| "the path is not UTF-8")?;
    if path.chars().any(char::is_control) {
        return Err("the path holds a control character");
    }
    let mut is_normal = (path.len() == 1 || !path.ends_with('/')) && !path.contains('\\');
    for part in path.split(SEPARATORS).skip(1) {
        if part == "." || part == ".." {
            return Err("the path leads out of where it starts");
        }
        is_normal &= !part.is_empty() || path.len() == 1;
    }
    if is_normal && path.starts_with('/') {
        return Ok(path);
    }
    let parts = path.split(SEPARATORS).filter(|part| !part.is_empty());
    let mut normal = String::with_capacity(path.len());
    for part in parts {
        normal.push('/');
        normal.push_str(part);
    }
    if normal.is_empty() {
        normal.push('/');
    }
    Ok(Cow::Owned(normal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn double_slashes_are_folded_and_percent_signs_decoded_in_place() {
        for (raw, path) in [
            ("/", "/"),
            ("//boot.ipxe", "/boot.ipxe"),
            ("/images//x/%40%31/initrd", "/images/x/@1/initrd"),
            ("/images/x/", "/images/x"),
            ("/\\boot\\bcd", "/boot/bcd"),
            ("/Boot%5cBCD", "/Boot/BCD"),
        ] {
            assert_eq!(normal_path(raw).ok().as_deref(), Some(path), "{raw}");
        }
    }

    #[test]
    fn a_path_that_leads_out_is_refused() {
        for raw in [
            "/images/../leases",
            "/images/%2e%2e/leases",
            "/..",
            "/images/x/..%2f..%2fleases",
            "/a\\..\\b",
            "/a%5C..%5Cb",
            "\\..\\b",
            "/%00",
            "/%ff",
        ] {
            assert!(normal_path(raw).is_err(), "{raw}");
        }
    }
}
