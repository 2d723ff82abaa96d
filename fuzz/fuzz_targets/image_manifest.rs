#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_image::{BootMethod, Manifest};

fuzz_target!(|data: &[u8]| {
    let Ok(manifest) = Manifest::decode(data) else {
        return;
    };
    assert!(!manifest.label().is_empty() && manifest.generation().number() > 0);
    let _ = (
        manifest.version(),
        manifest.created(),
        manifest.description(),
        manifest.source(),
        manifest.architecture(),
    );
    match manifest.boot() {
        BootMethod::Linux(linux) => {
            let line = linux.cmdline().join(" ");
            assert!(line.len() <= usize::try_from(linux.cmdline_limit()).expect("32 bits fit"));
            let _ = (linux.kernel_version(), linux.initrds().len());
        }
        BootMethod::Chain(chain) => assert!(chain.url().contains("://")),
        BootMethod::Efi(efi) => {
            assert!(manifest.file(efi.program().name().as_str()).is_some());
            assert!(manifest.architecture().is_some());
            assert!(efi.arguments().all(|argument| !argument.is_empty()));
        }
        BootMethod::Iso(iso) => assert!(manifest.file(iso.disc().name().as_str()).is_some()),
        _ => {}
    }
    assert!(manifest.beside().len() <= Manifest::MAX_FILES);
    for file in manifest.files() {
        assert_eq!(manifest.file(file.name().as_str()), Some(file));
    }
    let again =
        Manifest::decode(manifest.to_json().as_bytes()).expect("what was read can be read again");
    assert_eq!(again, manifest);
});
