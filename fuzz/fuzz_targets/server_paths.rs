//! Any path, by TFTP or HTTP: what it names, without a folder of it ever leading up.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../netboot-server/src/paths.rs"]
#[allow(dead_code)]
mod paths;

fuzz_target!(|path: &str| {
    let served = paths::served(path);
    if paths::named_for(path).is_some() {
        assert!(served.is_some());
    }
    if let Some(file) = paths::image_file(path) {
        assert!(path.ends_with(file));
    }
});
