#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_image::{
    BootLine, Digest, FileRef, Kernel, Looks, Sha256Sums, SumsEntry, split_cmdline,
};

fuzz_target!(|data: &[u8]| {
    let read: Vec<SumsEntry> = Sha256Sums::lines(data).filter_map(Result::ok).collect();
    let sums: Sha256Sums = read.iter().cloned().collect();
    let again = Sha256Sums::decode(&sums.to_bytes()).expect("what was read can be read again");
    for (one, other) in read.iter().zip(again.entries()) {
        assert_eq!((one.name(), one.digest()), (other.name(), other.digest()));
    }
    let _ = (
        Kernel::decode(data, u64::MAX),
        Looks::like(data, 1).to_string(),
    );
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(file) = text.parse::<FileRef>() {
            assert_eq!(file.to_string().parse(), Ok(file));
        }
        let _ = (text.parse::<Digest>(), BootLine::parse_kexec(text));
        let _ = BootLine::parse_pxelinux(text);
        if let Ok(line) = BootLine::parse_ipxe(text) {
            assert_eq!(split_cmdline(&line.cmdline.join(" ")), Ok(line.cmdline));
        }
    }
});
