//! What is configured and stored, as JSON written by hand.

use crate::packet::{MAC, NOW, bind, network, server};
use netboot_dhcp::server::{ClientKey, Lease, LeaseState, NetworkId, Settings};
use netboot_dhcp::value::ClientId;
use netboot_dhcp::{HardwareAddr, Seconds, Timestamp};
use serde_json::json;
use std::net::Ipv4Addr;

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
        "format": 1,
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

#[test]
fn who_a_client_says_it_is_is_stored_with_its_lease() {
    let mut lease = bind(&mut server(), NOW, MAC);
    lease.claimed_identity = Some("node-01".into());
    let stored = serde_json::to_value(&lease).unwrap();
    assert_eq!(stored["claimed_identity"], "node-01");
    assert_eq!(serde_json::from_value::<Lease>(stored).unwrap(), lease);
}

/// As the version at commit f1e084a wrote them, before leases had the number of their format.
const WITHOUT_FORMAT: [&str; 3] = [
    r#"{"network":3232261120,"address":"192.168.100.101","client":{"hardware":"52:54:00:12:34:56"},"client_id":"01525400123456","host_name":"node-01","state":"bound","expires":1700003600000,"updated":1700000000000,"version":3}"#,
    r#"{"network":3232261120,"address":"192.168.100.101","client":{"hardware":"32-80:00:02:08"},"client_id":null,"host_name":null,"state":"released","expires":1700003600000,"updated":1700000000000,"version":1}"#,
    r#"{"network":3232261120,"address":"192.168.100.101","client":{"id":"ff0001"},"client_id":null,"host_name":null,"state":"declined","expires":1700003600000,"updated":1700000000000,"version":1}"#,
];

#[test]
fn leases_that_were_stored_without_a_format_are_read() {
    let [bound, released, declined] = WITHOUT_FORMAT.map(|text| {
        let lease: Lease = serde_json::from_str(text).unwrap();
        lease
    });
    let lease = |client| {
        let address = Ipv4Addr::new(192, 168, 100, 101);
        let expires = Timestamp(1_700_003_600_000);
        Lease::new(NOW, NetworkId(0xc0a8_6400), address, client, expires)
    };
    let mut expected = lease(ClientKey::Hardware(MAC.into()));
    let id = [1, 0x52, 0x54, 0, 0x12, 0x34, 0x56];
    expected.client_id = Some(ClientId(id.to_vec().into()));
    expected.host_name = Some("node-01".into());
    expected.version = 3;
    assert_eq!(bound, expected);
    let infiniband = HardwareAddr::new(32, &[0x80, 0, 2, 8]).unwrap();
    let mut expected = lease(ClientKey::Hardware(infiniband));
    expected.state = LeaseState::Released;
    assert_eq!(released, expected);
    let mut expected = lease(ClientKey::Id(ClientId(vec![0xff, 0, 1].into())));
    expected.state = LeaseState::Declined;
    assert_eq!(declined, expected);
}

#[test]
fn lease_of_a_later_format_is_an_error_that_names_it() {
    // Its other fields may be anything.
    let error = serde_json::from_str::<Lease>(r#"{"format":2,"where":"there"}"#).unwrap_err();
    assert!(error.to_string().contains("format 2"), "{error}");
}
