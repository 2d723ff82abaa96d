//! Any bytes: every accessor of the view, the owned message, and what it encodes to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_dhcp::value::{Key, Value, key, pxe};
use netboot_dhcp::wire::{Encoding, Message, MessageView};

fuzz_target!(|data: &[u8]| {
    let Ok(view) = MessageView::decode(data) else {
        return;
    };
    read_header(&view);
    read_values(&view);
    let text = view.to_string();
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
    let _ = format!("{view:?}");
    let mut out = Vec::new();
    let encoding = Encoding::default();
    match Message::from(&view).encode(&encoding, &mut out) {
        Ok(()) => {
            let again = MessageView::decode(&out).unwrap();
            let kept = again.options().flatten().map(|option| option.data);
            assert!(kept.eq(view.options().flatten().map(|option| option.data)));
        }
        Err(_) => assert!(data.len() > 60_000 && out.is_empty()),
    }
});

fn read_header(view: &MessageView<'_>) {
    assert!(view.chaddr().len() <= 16 && view.chaddr().len() <= usize::from(view.hlen()));
    assert_eq!(view.hardware().as_bytes(), view.chaddr());
    assert_eq!(view.broadcast(), view.flags() & 0x8000 != 0);
    let _ = (
        view.op(),
        view.htype(),
        view.hops(),
        view.xid(),
        view.secs(),
    );
    let _ = (view.ciaddr(), view.yiaddr(), view.siaddr(), view.giaddr());
    let _ = (
        view.mac(),
        view.boot_file(),
        view.server_name(),
        view.message_type(),
    );
    assert!(view.anomalies().len() <= view.bytes().len());
}

fn read_values(view: &MessageView<'_>) {
    back(view, key::ROUTERS);
    back(view, key::PARAMETER_LIST);
    back(view, key::VENDOR_CLASS);
    back(view, key::CLIENT_ID);
    back(view, key::USER_CLASS);
    back(view, key::AUTHENTICATION);
    back(view, key::CLIENT_ARCH);
    back(view, key::CLIENT_NDI);
    back(view, key::MACHINE_ID);
    back(view, key::POLICY_FILTER);
    back(view, key::MTU_PLATEAU);
    back(view, key::VI_VENDOR_CLASS);
    back(view, key::VI_VENDOR_SPECIFIC);
    let _ = (
        view.read(key::CLASSLESS_ROUTES),
        view.read(key::DOMAIN_SEARCH),
        view.read(key::FORWARDING),
    );
    let _ = (view.read(key::HOST_NAME), view.read(key::LEASE_TIME));
    let _ = (view.read(key::IPXE), view.read(key::RELAY_AGENT));
    if let Ok(Some(vendor)) = view.read(key::VENDOR_SPECIFIC) {
        let _ = (
            vendor.read::<Vec<pxe::BootServer>>(pxe::BOOT_SERVERS),
            vendor.read::<Vec<pxe::MenuItem>>(pxe::BOOT_MENU),
            vendor.read::<pxe::MenuPrompt>(pxe::MENU_PROMPT),
            vendor.read::<pxe::BootItem>(pxe::BOOT_ITEM),
        );
    }
}

/// A value that could be read is written as it was.
fn back<T: Value>(view: &MessageView<'_>, key: Key<T>) {
    let Ok(Some(value)) = view.read(key) else {
        return;
    };
    let mut out = Vec::new();
    value.encode(&mut out);
    let data = view.raw(key.code()).unwrap();
    assert!(data.starts_with(&out));
}
