//! Scripts: written, read, checked and run, without iPXE.

mod commands;
#[cfg(feature = "serde")]
mod form;
mod golden;
mod lint;
mod parse;
mod properties;
mod run;

use std::borrow::Cow;

use netboot_ipxe::lint::Finding;

/// The linter's own codes live as long as it does.
fn code(finding: &Finding) -> &'static str {
    match finding.code {
        Cow::Borrowed(code) => code,
        Cow::Owned(_) => panic!("a code of somebody else's"),
    }
}
