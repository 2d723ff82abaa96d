//! The menu in each language that it is written in: what it offers, and what a time-out takes.

use super::*;

/// The item that each language's menu takes when nobody chooses; `None` waits for ever. By the
/// commands' own manuals: `choose --default --timeout` (iPXE), `set default`, `set timeout` (GRUB
/// 15.1, "-1" waits), `DEFAULT` and `TIMEOUT` (SYSLINUX, "0" waits).
fn taken(site: &Site) -> [Option<String>; 3] {
    let ipxe = script(site, STRANGER, "/boot.ipxe");
    let grub = script(site, STRANGER, "/grub.cfg");
    let pxelinux = by_tftp(site, STRANGER, "pxelinux.cfg/default");
    let behind = |text: &str, before: &str| {
        let found = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(before));
        found.map(str::to_owned)
    };
    let choose = behind(&ipxe, "choose ").expect("a menu");
    let named = choose.split_once("--default ").map(|(_, rest)| rest);
    let named = named.and_then(|rest| rest.split(' ').next());
    let named = named.filter(|_| choose.contains("--timeout "));
    let by_ipxe = named.map(|name| behind(&ipxe, &format!("item {name} ")).expect("the item"));
    let entry = |id: &str| {
        let mut entries = grub.lines().filter(|line| line.starts_with("menuentry "));
        let entry = entries.find(|line| line.contains(&format!(" --id {id} ")));
        let text = entry.expect("the entry").trim_start_matches("menuentry ");
        let text = text.split(" --id ").next().unwrap_or_default();
        text.trim_matches('\'').to_owned()
    };
    let waits = behind(&grub, "set timeout=").as_deref() == Some("-1");
    // Without a word of it GRUB takes the first.
    let id = behind(&grub, "set default=").unwrap_or_else(|| "0".to_owned());
    let by_grub = (!waits).then(|| entry(&id));
    let label = behind(&pxelinux, "DEFAULT ").expect("a default");
    let waits = behind(&pxelinux, "TIMEOUT ").as_deref() == Some("0");
    let by_pxelinux =
        (!waits).then(|| behind(&pxelinux, &format!("SAY {label}: ")).expect("the label"));
    [by_ipxe, by_grub, by_pxelinux]
}

const LOCAL: &str = "Boot from the local disk";

fn with_menu(menu: Value, more: Value) -> Site {
    let mut more = more;
    more["menu"] = menu;
    let site = site(json!([]), more);
    site.add("debian", "one");
    site.add("installer", "two");
    site
}

fn checked(site: &Site) -> String {
    let done = site.run(["check"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    done.err
}

#[test]
fn when_nobody_chooses_the_local_disk_is_booted_or_what_is_named() {
    for (menu, expected) in [
        (json!({}), LOCAL),
        (json!({ "default": "local" }), LOCAL),
        (json!({ "default": "installer" }), "installer"),
        (
            json!({ "items": [{ "image": "debian" }, { "local": true, "label": "Disk" }] }),
            "Disk",
        ),
        (
            json!({ "default": "debian", "items": [{ "local": true }, { "image": "debian" }] }),
            "debian",
        ),
    ] {
        let site = with_menu(menu.clone(), json!({}));
        let _serving = Running::serve(&site);
        for taken in taken(&site) {
            assert_eq!(taken.as_deref(), Some(expected), "{menu}");
        }
        let said = checked(&site);
        assert!(!said.contains("netboot.menu"), "{menu}: {said}");
    }
}

#[test]
fn a_default_that_is_no_image_is_warned_of_and_the_local_disk_is_booted() {
    let items = json!([{ "image": "gone" }, { "image": "debian" }, { "local": true }]);
    for (menu, warning) in [
        (
            json!({ "default": "lokal" }),
            "default: \"lokal\" is no image in the store; machines boot their local disk when \
             nobody chooses\n  cure: did you mean `local`? else name an image, `local` or `shell`",
        ),
        (
            json!({ "default": "debain" }),
            "default: \"debain\" is no image in the store; machines boot their local disk when \
             nobody chooses\n  cure: did you mean `debian`?",
        ),
        (
            json!({ "default": "windows" }),
            "default: \"windows\" is no image in the store; machines boot their local disk when \
             nobody chooses\n  cure: name an image, `local` or `shell`",
        ),
        (
            json!({ "default": "gone", "items": items }),
            "default: \"gone\" is no image in the store; machines boot their local disk",
        ),
    ] {
        let site = with_menu(menu.clone(), json!({}));
        let _serving = Running::serve(&site);
        assert_eq!(
            taken(&site),
            [(); 3].map(|()| Some(LOCAL.to_owned())),
            "{menu}"
        );
        let said = checked(&site);
        assert!(said.contains(warning), "{menu}: {said}");
    }
}

#[test]
fn a_menu_without_the_local_disk_and_without_a_default_waits_and_check_says_so() {
    let site = with_menu(
        json!({ "items": [{ "image": "debian" }, { "shell": true }] }),
        json!({}),
    );
    let _serving = Running::serve(&site);
    assert_eq!(taken(&site), [None, None, None]);
    let said = checked(&site);
    let warning = "default: is not there, and the local disk is none of the items: the menu waits \
                   until somebody chooses\n  cure: name an item as the default, or add";
    assert!(said.contains(warning), "{said}");
}

#[test]
fn an_image_that_is_hidden_is_in_no_menu_and_boots_on_its_targets() {
    let images = json!({ "installer": { "menu": false } });
    let target = json!([{ "name": "node-01", "mac": mac(1), "config": "installer" }]);
    let site = site(target, json!({ "images": images }));
    site.add("debian", "one");
    site.add("installer", "two");
    let _serving = Running::serve(&site);
    for menu in [
        script(&site, STRANGER, "/boot.ipxe"),
        script(&site, STRANGER, "/grub.cfg"),
        by_tftp(&site, STRANGER, "pxelinux.cfg/default"),
    ] {
        assert!(
            menu.contains("debian") && !menu.contains("installer"),
            "{menu}"
        );
    }
    let own = script(&site, STRANGER, "/boot.ipxe?mac=02-00-00-00-00-01");
    assert!(own.contains("/images/installer/@1/bzImage"), "{own}");
}

#[test]
fn an_image_called_as_an_item_of_the_menu_is_warned_of_and_never_the_default_by_that() {
    let site = site(json!([]), json!({ "menu": { "default": "local" } }));
    for name in ["local", "shell"] {
        site.add(name, name);
    }
    let _serving = Running::serve(&site);
    assert_eq!(taken(&site), [(); 3].map(|()| Some(LOCAL.to_owned())));
    let said = checked(&site);
    for name in ["local", "shell"] {
        let warning = format!("image {name} cannot be the default of the menu: `{name}` means ");
        assert!(said.contains(&warning), "{said}");
    }
    let [kernel, initrd] = ["local.kernel", "local.initrd"].map(|name| {
        let file = site.folder.path().join(name);
        file.display().to_string()
    });
    let arguments = [
        "image", "add", "local", "--kernel", &kernel, "--initrd", &initrd,
    ];
    let done = site.run(arguments);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(
        done.err.contains("image local cannot be the default"),
        "{}",
        done.err
    );
}
