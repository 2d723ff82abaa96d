#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_ipxe::{Command, Script, lint};

fuzz_target!(|source: &str| {
    let build = lint::Build::debian_12();
    let found = lint::lint(source, &build, lint::Platform::Efi);
    assert!(
        found
            .iter()
            .all(|found| found.line >= 1 && found.column >= 1)
    );
    let script = match Script::parse(source) {
        Ok(script) => script,
        Err(error) => return assert!(error.offset() <= source.len() && error.column() >= 1),
    };
    for command in script.lines().iter().flat_map(|line| line.commands()) {
        if let Command::Other(other) = command {
            let _ = (other.name(), other.option("timeout"), other.operands());
        }
    }
    let _ = script
        .render()
        .map(|text| assert_eq!(Script::parse(&text), Ok(script)));
});
