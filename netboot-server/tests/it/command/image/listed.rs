//! `netboot image add`, `list` and `verify`, and `netboot menu`.

use std::process::Stdio;

use serde_json::json;

use crate::command::{entries, make_writable, target};
use crate::support::{self, Done, SERVER, Site, netboot, on_a_terminal, write};

#[test]
fn an_image_is_added_listed_and_verified() {
    let site = Site::new(&json!([]));
    let (kernel, initrd) = site.add("debian", "one");
    let done = site.run(["image", "list"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let kibibytes = f64::from(u32::try_from(kernel.len() + initrd.len()).expect("small")) / 1024.0;
    let line = done.out.lines().nth(1).unwrap_or_default();
    assert!(
        line.starts_with("debian  @1          linux  x86_64  "),
        "{line}"
    );
    assert!(line.contains(&format!("  {kibibytes:.2} KiB  ")), "{line}");
    assert_eq!(done.out.lines().count(), 2, "a header and one");
    let done = site.run(["image", "verify"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.starts_with("debian @1: "), "{}", done.out);
    assert!(done.out.ends_with(": whole\n"), "{}", done.out);
}

#[test]
fn a_damaged_image_names_the_file_and_both_digests() {
    let site = Site::new(&json!([]));
    let (kernel, _) = site.add("debian", "one");
    let file = site.state().join("http/images/debian/bzImage");
    let file = file.canonicalize().expect("a kernel");
    make_writable(&file);
    let mut damaged = kernel.clone();
    damaged[1030] ^= 1;
    std::fs::write(&file, &damaged).expect("a file");
    let done = site.run(["image", "verify", "debian"]);
    assert_eq!(done.code, Some(1));
    for expected in ["bzImage".to_owned(), sha256(&kernel), sha256(&damaged)] {
        assert!(done.out.contains(&expected), "{expected}\n{}", done.out);
    }
    assert!(
        done.err.contains("add these images again from a good copy"),
        "{}",
        done.err
    );
}

/// As coreutils count it.
fn sha256(bytes: &[u8]) -> String {
    use std::io::Write;
    let mut child = std::process::Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sha256sum, of every Linux system");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(bytes).expect("a pipe");
    drop(input);
    let output = child.wait_with_output().expect("sha256sum");
    let text = String::from_utf8(output.stdout).expect("text");
    text.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn sha256sum_agrees_with_the_sums_of_every_image() {
    let site = Site::new(&json!([]));
    site.add("debian", "one");
    let done: Done = std::process::Command::new("sha256sum")
        .args(["-c", "SHA256SUMS"])
        .current_dir(site.state().join("http/images/debian"))
        .output()
        .expect("sha256sum, of every Linux system")
        .into();
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.contains("bzImage: OK"), "{}", done.out);
}

#[test]
fn what_cannot_be_added_is_told_and_the_store_stays_as_it_was() {
    let site = Site::new(&json!([]));
    let folder = site.folder.path();
    let text = write(folder, "text", b"not a kernel at all");
    let empty = write(folder, "empty", b"");
    let kernel = write(folder, "kernel", &support::kernel("x"));
    let directory = folder.display().to_string();
    for (kernel, initrd, expected) in [
        (&text, &kernel, "kernel"),
        (&kernel, &empty, "empty"),
        (&directory, &kernel, "it is no regular file"),
        (&"/nonexistent".to_owned(), &kernel, "/nonexistent"),
    ] {
        let add = [
            "image", "add", "bad", "--kernel", kernel, "--initrd", initrd,
        ];
        let done = site.run(add);
        assert_eq!(done.code, Some(1), "{kernel} {initrd}: {}", done.out);
        assert!(
            done.err.starts_with("netboot: adding image bad: "),
            "{}",
            done.err
        );
        assert!(done.err.contains(expected), "{expected}: {}", done.err);
        assert_eq!(done.err.lines().count(), 1, "{}", done.err);
    }
    for (word, expected) in [("x=${net0/mac}", "there is {mac}"), ("x=\"y", "quote")] {
        let add = [
            "image", "add", "bad", "--kernel", &kernel, "--initrd", &kernel,
        ];
        let done = site.run(add.into_iter().chain(["--cmdline", word]));
        assert_eq!(done.code, Some(1), "{word}");
        assert!(done.err.contains(expected), "{}", done.err);
    }
    let done = site.run(["image", "list"]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (Some(0), ""),
        "{}",
        done.err
    );
    let done = site.run([
        "image", "add", "../up", "--kernel", &kernel, "--initrd", &kernel,
    ]);
    assert_eq!(done.code, Some(2), "{}", done.err);
}

#[test]
fn an_image_that_nobody_knows_is_told() {
    let site = Site::new(&json!([]));
    site.add("debian", "one");
    let done = site.run(["image", "verify", "debain"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("debain"), "{}", done.err);
}

#[test]
fn the_menu_is_shown_as_clients_get_it_and_nothing_is_made() {
    let site = Site::new(&target("debian"));
    let done = site.run(["menu"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(done.out.starts_with("#!ipxe\n"), "{}", done.out);
    assert_eq!(entries(site.folder.path()), ["netboot.json"]);
    site.add("debian", "one");
    let done = site.run(["menu"]);
    assert!(
        done.out.contains("/images/debian/@1/bzImage"),
        "{}",
        done.out
    );
    assert!(done.err.starts_with("# the menu: "), "{}", done.err);
}

#[test]
fn the_menu_of_a_machine_is_its_images_script() {
    let site = Site::new(&target("debian"));
    let done = site.run(["menu", "--mac", "02-00-00-00-00-01"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(
        done.out.contains("netboot image add debian"),
        "{}",
        done.out
    );
    site.add("debian", "one");
    let done = site.run(["menu", "--mac", "02:00:00:00:00:01"]);
    let url = format!(
        "http://{SERVER}:{}/images/debian/@1/bzImage",
        site.ports.http
    );
    assert!(done.out.contains(&url), "{}", done.out);
    let words =
        "console=ttyS0 BOOTIF=01-02-00-00-00-00-01 ip=127.0.0.50 host=node-01 from=127.0.0.1";
    assert!(done.out.contains(words), "{}", done.out);
    assert!(
        done.err
            .starts_with("# image debian @1: it is target node-01 "),
        "{}",
        done.err
    );
    let file = |name: &str| site.folder.path().join(name).display().to_string();
    let (kernel, initrd) = (file("debian.kernel"), file("debian.initrd"));
    let add = [
        "image", "add", "debian", "--kernel", &kernel, "--initrd", &initrd,
    ];
    let own = [
        "--cmdline",
        "init=/sbin/init BOOTIF=01-{mac-dash} own={braces}",
    ];
    let done = site.run(add.into_iter().chain(own));
    assert_eq!(done.code, Some(0), "{}", done.err);
    let done = site.run(["menu", "--mac", "02:00:00:00:00:01"]);
    let words = "init=/sbin/init BOOTIF=01-02-00-00-00-00-01 own={braces} BOOTIF=";
    assert!(done.out.contains(words), "{}", done.out);
    let done = site.run(["menu", "--mac", "nonsense"]);
    assert_eq!(done.code, Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let site = Site::new(&json!([]));
    for command in ["check", "menu"] {
        let mut child = netboot(site.arguments([command]))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command");
        // Both ends that would be read are closed at once.
        drop(child.stdout.take());
        drop(child.stderr.take());
        let status = child.wait().expect("a child");
        assert_eq!(status.code(), Some(0), "{command}");
    }
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("a device of every Linux system");
    let done: Done = netboot(site.arguments(["check", "--print"]))
        .stdout(full)
        .output()
        .expect("the command")
        .into();
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.contains("netboot: writing to standard output: "),
        "{}",
        done.err
    );
}

#[test]
fn a_listing_has_colours_on_a_terminal_that_shows_them_and_nowhere_else() {
    let site = Site::new(&json!([]));
    site.add("debian", "one");
    let shown = |first: &str| {
        let words = site.arguments(["image", "list"]);
        let mut command = on_a_terminal(first, words);
        // Who runs the tests may want colours, or have them in logs of continuous integration.
        for wanted in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "CI"] {
            command.env_remove(wanted);
        }
        let done: Done = command.output().expect("script").into();
        assert_eq!(done.code, Some(0), "{}", done.out);
        done.out
    };
    assert!(shown("export TERM=xterm").contains("\u{1b}[1mIMAGE\u{1b}[0m "));
    // What no-color.org says, and a terminal that shows none.
    for first in ["export TERM=xterm NO_COLOR=1", "export TERM=dumb"] {
        assert!(!shown(first).contains('\u{1b}'), "{first}");
    }
    assert!(!site.run(["image", "list"]).out.contains('\u{1b}'));
}
