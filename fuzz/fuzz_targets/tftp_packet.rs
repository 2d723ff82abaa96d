//! Any bytes as a TFTP packet, through every accessor.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_tftp::{Agreed, Limits, Options, Packet, RelativePath};

fuzz_target!(|data: &[u8]| {
    let options = match Packet::decode(data) {
        Ok(Packet::Rrq(request) | Packet::Wrq(request)) => {
            let _ = RelativePath::decode(request.filename).map(|path| path.to_string());
            request.options
        }
        Ok(Packet::Oack(options)) => options,
        _ => return,
    };
    assert!(
        options
            .iter()
            .map(|(name, value)| name.len() + value.len() + 2)
            .sum::<usize>()
            + options.rest().len()
            <= data.len()
    );
    let asked = Options::from_view(&options);
    let agreed = Agreed::by_server(&asked, &Limits::default(), Some(u64::MAX));
    agreed
        .encode_oack(&mut [0; 128])
        .expect("an OACK fits 128 bytes");
    let _ = Agreed::by_client(&asked, &options);
});
