#![no_main]

use libfuzzer_sys::fuzz_target;
use netboot_ipxe::{Action, Ending, Item, LinuxBoot, Menu, Notice, Script};

fuzz_target!(|texts: [&str; 5]| {
    let [title, name, url, arg, line] = texts;
    let boot = LinuxBoot::new(title, url)
        .initrd(name, url)
        .arg(arg)
        .hint(line);
    let item = Item::new(name, line, Action::Linux(boot.clone()));
    let menu = Menu::new(title)
        .gap(line)
        .item(item)
        .item(Item::shell("", title));
    let mut words = Script::new();
    words
        .echo(line)
        .iseq(arg, name)
        .kernel(name, url, arg)
        .comment(line);
    let notice = Notice::new(line).script(Ending::Shell);
    for script in [Ok(words), menu.script(), boot.script(Ending::Shell), notice]
        .into_iter()
        .flatten()
    {
        if let Ok(text) = script.render() {
            assert_eq!(Script::parse(&text), Ok(script));
        }
    }
});
