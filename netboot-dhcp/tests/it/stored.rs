//! What is configured and stored, as JSON written by hand.

use crate::packet::{MAC, NOW, bind, network, server};
use netboot_dhcp::server::{Lease, Settings};
use netboot_dhcp::{Seconds, Timestamp};
use serde_json::json;

#[test]
fn settings_are_read_with_their_defaults() {
    let settings: Settings = serde_json::from_value(json!({
        "networks": [{
            "id": 1,
            "link": { "interface": 2 },
            "subnet": "10.0.0.0/24",
            "server": "10.0.0.1",
            "ranges": [{ "start": "10.0.0.100", "end": "10.0.0.102" }],
            "options": [{ "code": 42, "data": "0a000001" }],
            "reservations": [{ "mac": "52-54-00-12-34-56", "address": "10.0.0.9" }]
        }]
    }))
    .unwrap();
    let read = &settings.networks[0];
    assert_eq!((read.subnet, read.link), (network().subnet, network().link));
    assert_eq!(read.ranges, network().ranges);
    assert_eq!(read.lease_time, Seconds(3600));
    assert_eq!(read.options[0].data, [10, 0, 0, 1][..]);
    assert_eq!(read.reservations[0].mac, MAC);
    assert_eq!(settings.max_offers, 4096);
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
}

#[test]
fn unknown_setting_is_an_error_that_names_it() {
    let error = serde_json::from_value::<Settings>(json!({ "max_ofers": 3 })).unwrap_err();
    assert!(error.to_string().contains("max_ofers"), "{error}");
    // Passed over it would be a network without addresses.
    let network = json!({
        "id": 1, "link": "relay", "subnet": "10.0.0.0/24", "server": "10.0.0.1", "rangs": []
    });
    let settings = json!({ "networks": [network] });
    let error = serde_json::from_value::<Settings>(settings).unwrap_err();
    assert!(error.to_string().contains("rangs"), "{error}");
}

#[test]
fn malformed_values_are_errors_that_say_what_they_should_be() {
    let reservation = json!({ "mac": "52:54" });
    let error =
        serde_json::from_value::<netboot_dhcp::server::Reservation>(reservation).unwrap_err();
    assert!(error.to_string().contains("52:54:00:12:34:56"), "{error}");
    let option = json!({ "code": 42, "data": "0a0" });
    let error = serde_json::from_value::<netboot_dhcp::server::ExtraOption>(option).unwrap_err();
    assert!(error.to_string().contains("hex digits"), "{error}");
}

#[test]
fn lease_is_stored_in_this_form() {
    let lease = bind(&mut server(), NOW, MAC);
    let stored = json!({
        "network": 1,
        "address": "10.0.0.100",
        "client": { "hardware": "52:54:00:12:34:56" },
        "client_id": null,
        "host_name": null,
        "state": "bound",
        "expires": 1_700_003_600_000_u64,
        "updated": 1_700_000_000_000_u64,
        "version": 1
    });
    assert_eq!(serde_json::to_value(&lease).unwrap(), stored);
    assert_eq!(serde_json::from_value::<Lease>(stored).unwrap(), lease);
    assert_eq!(lease.updated, Timestamp(1_700_000_000_000));
}
