//! What cannot be written, and the place that the error names.

use netboot_ipxe::{Action, Ending, Item, LinuxBoot, Menu, RenderProblem, Setting};

use super::linux;

#[test]
fn what_cannot_be_written_is_named() {
    let error = |boot: LinuxBoot| {
        boot.script(Ending::Shell)
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    let expect = |boot, text: &str| assert_eq!(error(boot), Err(text.to_owned()));
    expect(
        linux().arg("x=${net0/mac}"),
        "entry, kernel argument 3 `x=${net0/mac}`: holds the text `${…}`, which iPXE would expand",
    );
    expect(
        linux().arg("a\nb"),
        "entry, kernel argument 3 `a\\nb`: holds the control character U+000A",
    );
    expect(
        linux().arg("a\0b"),
        "entry, kernel argument 3 `a\\u{0}b`: holds the control character U+0000",
    );
    expect(linux().arg(""), "entry, kernel argument 3 ``: is empty");
    expect(
        linux().arg("a=\"b"),
        "entry, kernel argument 3 `a=\"b`: has double quotes that the kernel would read otherwise than meant",
    );
    expect(
        linux().initrd("INITRD", "http://10.0.0.1/x"),
        "entry, initrd `INITRD`, name: is there twice",
    );
    expect(
        linux().initrd("a b", "http://10.0.0.1/x"),
        "entry, initrd `a b`, name: ' ' cannot stand in this name",
    );
    expect(
        linux().initrd("two", "http://10.0.0.1/a b"),
        "entry, initrd `two`, URL: ' ' cannot stand in this name",
    );
    expect(
        linux().initrd("two", ""),
        "entry, initrd `two`, URL: is empty",
    );
    expect(LinuxBoot::new("x", ""), "entry, kernel URL: is empty");
    expect(
        LinuxBoot::new("", "http://10.0.0.1/x"),
        "entry, title: is empty",
    );
    expect(
        LinuxBoot::new("a ${b c} d", "http://10.0.0.1/x"),
        "entry, title: holds the text `${…}`, which iPXE would expand",
    );
    expect(
        linux().hint("two\nlines"),
        "entry, hint: holds the control character U+000A",
    );
    expect(
        linux().arg("x".repeat(2100)),
        &format!(
            "entry, kernel arguments: has {} bytes, and at most 2047 are kept",
            "initrd=initrd init=/nix/store/x/init quiet ".len() + 2100
        ),
    );
    expect(
        linux().arg(Setting::new("a}b")),
        "entry, kernel argument 3 `${a}b}`: '}' cannot stand in this name",
    );
}

#[test]
fn what_is_wrong_with_a_menu_is_named() {
    let item = |name: &str| Item::new(name, "text", Action::Reboot);
    let expect = |menu: Menu, place: &str, problem: RenderProblem| {
        let error = menu.script().expect_err("it cannot be written");
        assert_eq!((error.place(), error.problem()), (place, &problem));
    };
    expect(Menu::new("x"), "menu, items", RenderProblem::NoItem);
    expect(
        Menu::new("a\nb").item(item("a")),
        "menu, title",
        RenderProblem::Control('\n'),
    );
    expect(
        Menu::new("x").item(item("a")).item(item("a")),
        "item `a`, name",
        RenderProblem::Duplicate,
    );
    expect(
        Menu::new("x")
            .item(item("a").key('k'))
            .item(item("b").key('k')),
        "item `b`, key `k`",
        RenderProblem::Duplicate,
    );
    expect(
        Menu::new("x").item(item("a").key('é')),
        "item `a`, key",
        RenderProblem::Character('é'),
    );
    expect(
        Menu::new("x").item(item("a")).default_item("b"),
        "menu, default `b`",
        RenderProblem::UnknownItem,
    );
    expect(
        Menu::new("x").item(Item::new("a\n", "${x}", Action::Reboot)),
        "item `a\\n`, text",
        RenderProblem::Expansion,
    );
}
