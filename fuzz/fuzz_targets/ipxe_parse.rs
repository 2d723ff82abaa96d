#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_ipxe::{Command, Script, lint::{Build, Platform, lint}};

fuzz_target!(|source: &str| {
    let found = lint(source, &Build::debian_12(), Platform::Efi);
    assert!(found.iter().all(|f| f.line >= 1 && f.column >= 1 && !f.to_string().contains('\n')));
    let script = match Script::parse(source) {
        Ok(script) => script,
        Err(error) => return assert!(error.offset() <= source.len() && !error.to_string().is_empty()),
    };
    for command in script.lines().iter().flat_map(|line| line.commands()) {
        let Command::Other(other) = command else { continue };
        let _ = (other.name(), other.has_option("name"), other.option("timeout"), other.operands());
    }
    if let Ok(text) = script.render() {
        assert_eq!(Script::parse(&text), Ok(script));
    }
});
