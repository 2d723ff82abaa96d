//! The crate's own entries and menus, as a machine goes through them.

use netboot_ipxe::{
    Action, Chain, Ending, Item, LinuxBoot, LocalDisk, Menu, Retry,
    run::{Answer, Effect, End, Run},
};

use super::until;

#[test]
fn a_kernel_boots_with_its_arguments_and_the_initrds_fetched() {
    let entry = LinuxBoot::new("x", "http://10.0.0.1/bzImage")
        .initrd("initrd", "http://10.0.0.1/i?x=1")
        .arg("a=one  two");
    let text = entry
        .script(Ending::Shell)
        .and_then(|script| script.render())
        .expect("written");
    let mut run = Run::new(&text).expect("it is a script");
    let (_, fetch) = until(&mut run, Answer::Done);
    assert_eq!(
        fetch,
        Effect::Fetch {
            name: "bzImage".into(),
            uri: "http://10.0.0.1/bzImage".into()
        }
    );
    let (_, fetch) = until(&mut run, Answer::Done);
    assert_eq!(
        fetch,
        Effect::Fetch {
            name: "initrd".into(),
            uri: "http://10.0.0.1/i?x=1".into()
        }
    );
    let (_, boot) = until(&mut run, Answer::Done);
    let Effect::Boot {
        kernel,
        initrds,
        replace: false,
    } = boot
    else {
        panic!("{boot:?}")
    };
    assert_eq!(kernel.args, "initrd=initrd a=\"one  two\"");
    assert_eq!(initrds.len(), 1);
    assert_eq!(initrds[0].name, "initrd");
}

#[test]
fn a_failing_entry_is_tried_three_times_and_ends_in_the_shell() {
    let entry = LinuxBoot::new("x", "http://10.0.0.1/k").retry(Retry::new(3, 7));
    let text = entry
        .script(Ending::Shell)
        .and_then(|script| script.render())
        .expect("written");
    let mut run = Run::new(&text).expect("it is a script");
    let mut answer = Answer::Done;
    let mut fetches = 0;
    let mut sleeps = 0;
    let end = loop {
        answer = match until(&mut run, answer).1 {
            Effect::Fetch { .. } => {
                fetches += 1;
                Answer::Failed
            }
            Effect::Sleep { seconds } => {
                assert_eq!(seconds, 7);
                sleeps += 1;
                Answer::Done
            }
            other => break other,
        };
    };
    assert_eq!((fetches, sleeps, end), (3, 2, Effect::Shell));
    assert_eq!(
        run.next(Answer::Failed),
        Effect::End(End::Exit { status: 1 })
    );
}

#[test]
fn a_menu_comes_back_from_everything_but_a_boot() {
    let chain = Chain::new("c", "http://10.0.0.1/c");
    let menu = Menu::new("Boot")
        .item(Item::new("c", "C", Action::Chain(chain)).key('c'))
        .item(Item::local_disk("l", "L"))
        .item(Item::shell("s", "S"))
        .default_item("l")
        .timeout_ms(9);
    let text = menu
        .script()
        .and_then(|script| script.render())
        .expect("written");
    let mut run = Run::new(&text).expect("it is a script");
    assert!(run.settings_mut().set("platform", "pcbios"));
    let choose = |effect: Effect, timeout: u32| {
        let Effect::Choose {
            title,
            items,
            default,
            timeout_ms,
        } = effect
        else {
            panic!("{effect:?}")
        };
        assert_eq!(
            (title.as_str(), items.len(), default.as_deref(), timeout_ms),
            ("Boot", 3, Some("item-l"), timeout)
        );
    };
    choose(until(&mut run, Answer::Done).1, 9);
    choose(until(&mut run, Answer::Failed).1, 0);
    assert_eq!(
        until(&mut run, Answer::Text("item-s".into())).1,
        Effect::Shell
    );
    choose(until(&mut run, Answer::Failed).1, 0);
    assert!(matches!(
        until(&mut run, Answer::Text("item-c".into())).1,
        Effect::Fetch { .. }
    ));
    let Effect::Boot { replace: false, .. } = until(&mut run, Answer::Done).1 else {
        panic!()
    };
    choose(until(&mut run, Answer::Failed).1, 0);
    let disk = until(&mut run, Answer::Text("item-l".into())).1;
    assert_eq!(
        disk,
        Effect::Sanboot {
            drive: Some("0x80".into()),
            uris: vec![]
        }
    );
    let (shown, prompt) = until(&mut run, Answer::Failed);
    assert!(shown[0].starts_with("Could not boot from the local disk."));
    assert!(matches!(prompt, Effect::Prompt { timeout_ms: 0, .. }));
    choose(until(&mut run, Answer::Done).1, 0);
    // A name that the menu does not have is no choice.
    choose(until(&mut run, Answer::Text("failed".into())).1, 0);
}

#[test]
fn the_local_disk_under_uefi_is_left_to_the_firmware() {
    let script = LocalDisk::ByPlatform
        .script(Ending::Shell)
        .and_then(|script| script.render());
    let mut run = Run::new(&script.expect("written")).expect("it is a script");
    assert!(run.settings_mut().set("platform", "efi"));
    assert_eq!(run.next(Answer::Done), Effect::End(End::Exit { status: 1 }));
}
