//! Any JSON as what `nft -j list ruleset` prints.
#![no_main]

use std::net::Ipv4Addr;

use libfuzzer_sys::fuzz_target;

#[path = "../../netboot-server/src/bin/netboot/doctor/firewall.rs"]
#[allow(dead_code)]
mod firewall;

fuzz_target!(|data: &[u8]| {
    let Ok(ruleset) = serde_json::from_slice(data) else {
        return;
    };
    for protocol in ["udp", "tcp"] {
        let packet = firewall::Packet {
            interface: "eth1",
            protocol,
            port: 67,
            destination: Ipv4Addr::BROADCAST,
        };
        if let Some(fate) = firewall::fate(&ruleset, &packet) {
            assert!(!fate.by.is_empty());
        }
    }
});
