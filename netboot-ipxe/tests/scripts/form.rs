//! The model written down and read back, and what is refused on the way.

use netboot_ipxe::{
    Action, Arg, Cancel, Chain, CommandLine, Dhcp, Disc, Ending, Item, LinuxBoot, LocalDisk, Menu,
    Notice, Retry, Script, Setting,
    lint::{Build, Finding, Platform, lint},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

fn read<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// What is written is this, and what is read of it is the same again.
fn both_ways<T>(model: &T, expected: Value)
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    assert_eq!(serde_json::to_value(model).ok(), Some(expected.clone()));
    assert_eq!(read::<T>(expected).as_ref(), Ok(model));
}

#[test]
fn an_argument_is_a_text_or_its_pieces() {
    both_ways(&Arg::from("a ${ip} b"), json!("a ${ip} b"));
    let mac: Setting = "net0/mac:hexhyp".parse().expect("a setting");
    let which = Arg::from(Setting::new("which")).text("/mac");
    both_ways(
        &Arg::from("01-").setting(mac).computed(which),
        json!(["01-", { "setting": "net0/mac:hexhyp" }, { "computed": [{ "setting": "which" }, "/mac"] }]),
    );
    both_ways(
        &CommandLine::from_iter(["a=b c", "quiet"]),
        json!(["a=b c", "quiet"]),
    );
    // Pieces that belong together become one, as in code.
    assert_eq!(read(json!(["a", "", "b"])), Ok(Arg::from("ab")));
    for bad in [
        json!([{ "setting": "a}" }]),
        json!([{ "setting": "" }]),
        json!([{ "setting": "a", "typo": 1 }]),
        json!(1),
    ] {
        assert!(read::<Arg>(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn text_that_is_read_is_only_ever_text() {
    let read: Result<Notice, _> = read(json!(["say ${ip}", "a\nshell"]));
    let script = read.map(|notice| notice.script(Ending::Shell));
    assert!(script.is_ok_and(|script| script.is_err()));
}

#[test]
fn a_script_is_its_text() {
    let text = "#!ipxe\n:start\ndhcp || goto start\nshell\n";
    both_ways(&Script::parse(text).expect("a script"), json!(text));
    assert!(read::<Script>(json!("dhcp\n")).is_err());
}

#[test]
fn a_menu_and_what_is_in_it_are_read_back() {
    let linux = LinuxBoot::new("Debian", "http://10.0.0.1/k")
        .initrd("initrd", "http://10.0.0.1/i")
        .initrd_signature("http://10.0.0.1/i.sig")
        .arg("quiet")
        .retry(Retry::new(1, 0));
    let chain = Chain::new("another", "http://10.0.0.2/boot.ipxe").dhcp_first(Dhcp::new());
    let menu = Menu::new("Boot")
        .gap("Systems")
        .item(Item::new("debian", "Debian", Action::Linux(linux)).key('d'))
        .item(Item::new("other", "Other", Action::Chain(chain)))
        .item(Item::new(
            "cd",
            "CD",
            Action::Disc(Disc::new("CD", "http://10.0.0.1/cd")),
        ))
        .item(Item::local_disk("disk", "Disk"))
        .item(Item::new(
            "below",
            "Below",
            Action::Menu(Menu::new("B").item(Item::shell("s", "S"))),
        ))
        .item(Item::new(
            "note",
            "Note",
            Action::Notice(Notice::new("Nothing here")),
        ))
        .item(Item::new("exit", "Exit", Action::Exit(1)))
        .default_item("disk")
        .on_cancel(Cancel::Exit(1))
        .timeout_ms(5000);
    let written = serde_json::to_value(&menu).expect("it can be written");
    both_ways(&menu, written);
}

#[test]
fn what_is_left_out_is_as_in_code() {
    let menu = json!({
        "title": "Boot",
        "rows": [
            { "item": { "name": "debian", "text": "Debian", "action": {
                "linux": { "what": "Debian", "kernel": "http://10.0.0.1/k" } } } },
            { "gap": "" },
            { "item": { "name": "disk", "text": "Disk", "action": { "local_disk": "by_platform" } } },
            { "item": { "name": "shell", "text": "Shell", "action": "shell" } },
        ],
    });
    let linux = LinuxBoot::new("Debian", "http://10.0.0.1/k");
    let expected = Menu::new("Boot")
        .item(Item::new("debian", "Debian", Action::Linux(linux)))
        .gap("")
        .item(Item::new(
            "disk",
            "Disk",
            Action::LocalDisk(LocalDisk::ByPlatform),
        ))
        .item(Item::shell("shell", "Shell"));
    assert_eq!(read(menu), Ok(expected));
    assert_eq!(read(json!({ "tries": 1 })), Ok(Retry::new(1, 5)));
}

#[test]
fn what_code_cannot_build_is_not_read() {
    for bad in [
        json!({ "title": "x", "timeout_ms": 0 }),
        json!({ "title": "x", "tilte": "y" }),
        json!({ "title": "x", "rows": [{ "item": { "name": "n", "text": "t", "action": { "notice": [] } } }] }),
    ] {
        assert!(read::<Menu>(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn a_finding_is_read_back() {
    let found = lint("#!ipxe\nkernal x\n", &Build::everything(), Platform::Any);
    both_ways(
        &found[0],
        json!({
            "code": "unknown-command",
            "severity": "error",
            "line": 2,
            "column": 1,
            "message": "there is no command `kernal`",
            "cure": "did you mean `kernel`?",
        }),
    );
    let found: Result<Vec<Finding>, _> = read(json!([]));
    assert_eq!(found, Ok(vec![]));
}
