//! What a machine is known by, and the DHCP options that are its own.

use super::*;

const UUID: [u8; 16] = [
    0x4c, 0x4c, 0x45, 0x44, 0x00, 0x42, 0x35, 0x10, 0x80, 0x52, 0xb4, 0xc0, 0x4f, 0x4d, 0x32, 0x32,
];
/// The same as a PC's firmware may say it, its first three groups in the other order.
const SWAPPED: [u8; 16] = [
    0x44, 0x45, 0x4c, 0x4c, 0x42, 0x00, 0x10, 0x35, 0x80, 0x52, 0xb4, 0xc0, 0x4f, 0x4d, 0x32, 0x32,
];

#[test]
fn a_machine_is_known_by_its_uuid_through_every_stage() {
    for uuid in [UUID, SWAPPED] {
        let site = site(
            json!([{
                "name": "by-uuid", "uuid": "4c4c4544-0042-3510-8052-b4c04f4d3232",
                "install": { "image": "installer" }, "cmdline": "report={report}",
                "program": "snponly.efi", "state": { "mine": true },
            }]),
            json!({}),
        );
        site.add("installer", "installer");
        let serving = Running::serve(&site);
        let firmware = boot(&site, Profile::pxe_uefi(mac(7)).with_uuid(uuid));
        assert_eq!(firmware.file.as_deref(), Some("snponly.efi"));
        let ipxe = boot(&site, Profile::ipxe(mac(7), Arch::X64_UEFI).with_uuid(uuid));
        let url = ipxe.file.expect("a URL");
        let (_, path) = url.split_once("/boot.ipxe").expect("the script");
        assert!(path.starts_with("?mac=02-00-00-00-00-07&uuid="), "{url}");
        let path = format!("/boot.ipxe{path}");
        let node = ipxe.address;
        assert!(report(&script(&site, node, &path)).contains("/by-uuid/"));
        assert!(installs(&by_tftp(&site, node, "boot.ipxe")));
        let autoexec = by_tftp(&site, node, "autoexec.ipxe");
        assert_eq!(goes_on_with(&autoexec, &[&mac(7).to_string()]), url);
        assert_eq!(get(&site, node, "/states/by-uuid.json").status, 200);
        // Another machine may claim the UUID in a URL, and gets nothing that is only this one's.
        let other = lease(&site, 8).address;
        let claim = "/boot.ipxe?uuid=4c4c4544-0042-3510-8052-b4c04f4d3232";
        assert!(!script(&site, other, claim).contains("token="));
        assert_eq!(get(&site, other, "/states/by-uuid.json").status, 404);
        // After a restart nobody remembers the UUID, and the URL still says it.
        drop(serving);
        let _serving = Running::serve(&site);
        let said = script(&site, node, &path);
        assert!(
            said.contains("installs image installer") || said.contains("only for the machine"),
            "{said}"
        );
        assert!(!said.contains("token="), "{said}");
    }
}

#[test]
fn only_targets_are_served_where_only_known_ones_are_allowed() {
    let site = site(
        json!([
            { "name": "by-mac", "mac": mac(1) },
            { "name": "by-uuid", "uuid": "4c4c4544-0042-3510-8052-b4c04f4d3232" },
        ]),
        json!({}),
    );
    let document = std::fs::read_to_string(site.config()).expect("the configuration");
    let mut document: Value = serde_json::from_str(&document).expect("JSON");
    document["netboot"]["server"]["allow"] = json!("known");
    std::fs::write(site.config(), document.to_string()).expect("a file");
    let mut serving = Running::serve(&site);
    lease(&site, 1);
    boot(&site, Profile::pxe_uefi(mac(7)).with_uuid(UUID));
    // One that is none asks in vain, and the log says so.
    let stranger = crate::support::client::discover(&site, Profile::pxe_uefi(mac(9)));
    assert_eq!(stranger, None);
    serving.line(
        "02:00:00:00:00:09 is left out: nothing: no target has its MAC address; network \
         lo serves targets only",
    );
}

#[test]
fn options_are_the_networks_the_groups_and_the_targets_own() {
    let site = site(
        json!([{
            "name": "node-01", "mac": mac(1), "group": "rack", "options": { "mtu": 1400 },
        }]),
        json!({ "groups": { "rack": { "options": { "mtu": 9000, "224": "rack 7" } } } }),
    );
    let document = std::fs::read_to_string(site.config()).expect("the configuration");
    let mut document: Value = serde_json::from_str(&document).expect("JSON");
    document["netboot"]["server"]["options"] = json!({ "ntp-server": "10.0.0.9", "26": 1500 });
    std::fs::write(site.config(), document.to_string()).expect("a file");
    let _serving = Running::serve(&site);
    let option = |bound: &Bound, code| {
        let mut options = bound.options.iter();
        let found = options.find(|(known, _)| *known == OptionCode(code));
        found.map(|(_, data)| data.to_vec())
    };
    let node = lease(&site, 1);
    assert_eq!(option(&node, 42), Some(vec![10, 0, 0, 9]));
    assert_eq!(
        option(&node, 26),
        Some(vec![0x05, 0x78]),
        "the target's own"
    );
    assert_eq!(option(&node, 224), Some(b"rack 7".to_vec()));
    let other = lease(&site, 2);
    assert_eq!(option(&other, 26), Some(vec![0x05, 0xdc]));
    assert_eq!(option(&other, 224), None);
    // Who says what it wants gets no more of the network's.
    let firmware = boot(&site, Profile::pxe_bios(mac(3)));
    assert_eq!(option(&firmware, 42), None);
}
