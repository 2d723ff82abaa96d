//! Any bytes as the head of a kernel, whose length is said in the first four.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_image::{Kernel, Looks};

fuzz_target!(|data: &[u8]| {
    let Some((length, head)) = data.split_first_chunk() else {
        return;
    };
    let length = u64::from(u32::from_be_bytes(*length));
    let _ = Looks::like(head, length).to_string();
    match Kernel::decode(head, length) {
        Ok(kernel) => {
            let _ = (
                kernel.format(),
                kernel.architecture(),
                kernel.cmdline_limit(),
            );
            assert!(!kernel.file_name().as_str().is_empty());
            let version = kernel.version().unwrap_or_default();
            assert!(!version.contains(char::is_control), "{version:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
