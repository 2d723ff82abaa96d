#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_ipxe::Script;

fuzz_target!(|source: &str| {
    match Script::parse(source) {
        Ok(script) => {
            if let Ok(text) = script.render() {
                assert_eq!(Script::parse(&text), Ok(script));
            }
        }
        Err(error) => {
            assert!(error.offset() <= source.len());
            assert!(error.line() >= 1 && error.column() >= 1);
            let _ = (error.problem(), error.to_string());
        }
    }
});
