//! `netboot demo`.

use super::*;

#[test]
fn the_demo_prints_each_step_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let done: Done = netboot(["demo"])
        .env("TMPDIR", temporary.path())
        .output()
        .expect("the command")
        .into();
    assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
    let steps = [
        "netboot demo: ",
        "  DHCP      firmware: 127.0.0.",
        "  TFTP      undionly.kpxe: ",
        "  DHCP      iPXE: 127.0.0.",
        "  HTTP      http://127.0.0.1:",
        "  says      Booting Demo",
        "  HTTP      http://127.0.0.1:",
        "  HTTP      http://127.0.0.1:",
        "  HTTP      http://127.0.0.1:",
        "  verified  bzImage  ",
        "  verified  initrd  ",
        "  boots     ",
        "booted: ",
    ];
    let lines: Vec<_> = done.out.lines().collect();
    assert_eq!(lines.len(), steps.len(), "{}", done.out);
    for (line, step) in lines.iter().zip(steps) {
        assert!(line.starts_with(step), "{step}\n{}", done.out);
        let transfer = ["  DHCP ", "  TFTP ", "  HTTP "]
            .iter()
            .any(|p| step.starts_with(p));
        let measured = line.contains("B  [") && line.ends_with(" ms]");
        assert_eq!(measured, transfer, "{line}");
    }
    assert_eq!(entries(temporary.path()), Vec::<String>::new());
}

#[test]
fn a_demo_that_is_told_to_end_leaves_nothing_behind() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // One that was through before the signal came tells nothing.
        let interrupted = (0..20).find_map(|_| interrupted_demo(signal));
        let said = interrupted.expect("the signal comes in the middle at last");
        assert!(said.contains("the demo: interrupted"), "{said}");
    }
}

/// What an interrupted demo says; `None` where it was through before.
fn interrupted_demo(signal: Signal) -> Option<String> {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let child = netboot(["demo"])
        .env("TMPDIR", temporary.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command");
    crate::support::wait_until("it makes a folder", || {
        !entries(temporary.path()).is_empty()
    });
    let pid = i32::try_from(child.id()).expect("a process number");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).expect("a process");
    let done: Done = child.wait_with_output().expect("a child").into();
    assert_eq!(entries(temporary.path()), Vec::<String>::new());
    assert!(matches!(done.code, Some(0 | 1)), "{signal:?}: {done:?}");
    (done.code == Some(1)).then_some(done.err)
}
