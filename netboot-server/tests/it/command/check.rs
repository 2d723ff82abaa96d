//! `netboot check`, and what other commands say of a configuration that is wrong.

use super::*;

#[test]
fn check_of_a_good_configuration_says_so_and_makes_nothing() {
    let site = Site::new(&json!([]));
    let done = site.run(["check"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert!(
        done.out
            .starts_with("the configuration holds: 1 network(s), 0 target(s), "),
        "{}",
        done.out
    );
    assert_eq!(entries(site.folder.path()), ["netboot.json"]);
}

#[test]
fn check_tells_all_that_is_wrong_on_standard_error_and_ends_with_1() {
    let site = Site::new(&json!([
        { "name": "a", "mac": "nonsense" },
        { "name": "b", "mac": "02:00:00:00:00:02", "ip": "10.0.0.1", "colour": "red" },
    ]));
    let done = site.run(["check"]);
    assert_eq!(done.code, Some(1));
    assert_eq!(done.out, "");
    let place = site.config().display().to_string();
    for expected in [
        format!("error: {place}:1: netboot.targets[0].mac: \"nonsense\" "),
        format!(
            "error: {place}:1: netboot.targets[1].ip: 10.0.0.1 is outside 127.0.0.0/8\n  cure: "
        ),
        format!("error: {place}:1: netboot.targets[1].colour: no such key is known\n  cure: "),
        "3 to mend; nothing would start\n".into(),
    ] {
        assert!(done.err.contains(&expected), "{expected}\n{}", done.err);
    }
    assert_eq!(entries(site.folder.path()), ["netboot.json"]);
}

#[test]
fn serve_of_a_bad_configuration_says_the_same_and_starts_nothing() {
    let site = Site::new(&json!([{ "name": "a", "mac": "nonsense" }, { "mac": 5 }]));
    let done = site.run(["serve"]);
    assert_eq!(done.code, Some(1));
    for expected in [
        "netboot.targets[0].mac: ",
        "netboot.targets[1].name: is missing",
        "netboot.targets[1].mac: 5 cannot be read",
        "nothing was started\n",
    ] {
        assert!(done.err.contains(expected), "{expected}\n{}", done.err);
    }
    assert_eq!(entries(site.folder.path()), ["netboot.json"]);
}

#[test]
fn a_missing_configuration_is_one_sentence_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("none.toml").display().to_string();
    for command in ["check", "serve", "menu"] {
        let done = run([command, "--config", &file]);
        assert_eq!(done.code, Some(1), "{command}");
        assert!(
            done.err
                .starts_with(&format!("error: {file}: cannot be read: ")),
            "{}",
            done.err
        );
        assert!(done.err.contains("cure: name a file"), "{}", done.err);
    }
}

#[test]
fn a_configuration_without_end_is_refused_and_one_from_a_pipe_is_read() {
    let done = run(["check", "--config", "/dev/zero"]);
    assert_eq!(done.code, Some(1), "{}", done.err);
    let expected = "error: /dev/zero: cannot be read: it is longer than 16 MiB\n  cure: ";
    assert!(done.err.starts_with(expected), "{}", done.err);

    let folder = tempfile::tempdir().expect("a temporary folder");
    let pipe = folder.path().join("netboot.json");
    let mode = nix::sys::stat::Mode::S_IRWXU;
    nix::unistd::mkfifo(&pipe, mode).expect("a pipe");
    let writer = pipe.clone();
    let written = std::thread::spawn(move || std::fs::write(writer, "[1]"));
    let done = run(["check", "--config", &pipe.display().to_string()]);
    written.join().expect("it ends").expect("a reader");
    assert!(done.err.contains("holds no table"), "{}", done.err);
}

#[test]
fn check_for_another_host_looks_at_nothing_of_this_one() {
    let site = Site::new(&target("debian"));
    let server = json!({ "ip": SERVER, "interface": "lo",
                         "dhcp_range": { "start": "127.0.0.100", "end": "127.0.0.200" } });
    let tls = json!({ "cert": "/run/credentials/netboot.service/tls.crt",
                      "key": "/run/credentials/netboot.service/tls.key" });
    site.configure(&target("debian"), json!({ "server": server, "tls": tls }));
    let here = site.run(["check"]);
    assert_eq!(here.code, Some(1), "{}", here.out);
    for part in ["tls.crt", "image debian is not in the store"] {
        assert!(here.err.contains(part), "{part}: {}", here.err);
    }
    assert!(!here.err.contains("is taken to be a /24"), "{}", here.err);

    let elsewhere = site.run(["check", "--for-another-host"]);
    assert_eq!(elsewhere.code, Some(0), "{}", elsewhere.err);
    assert_eq!(elsewhere.err.lines().count(), 1, "{}", elsewhere.err);
    assert!(
        elsewhere
            .err
            .contains("netboot.server.subnet: is taken to be a /24"),
        "{}",
        elsewhere.err
    );
}

#[test]
fn check_print_shows_a_normal_form_that_reads_back() {
    let site = Site::new(&target("debian"));
    let first = site.run(["check", "--print"]);
    assert_eq!(first.code, Some(0), "{}", first.err);
    let file = write(site.folder.path(), "normal.toml", first.out.as_bytes());
    let second = run(["check", "--print", "--config", &file]);
    assert_eq!(second.code, Some(0), "{}", second.err);
    assert_eq!(second.out, first.out);
    assert!(first.out.contains("[[netboot.networks]]"), "{}", first.out);
}

#[test]
fn a_normal_form_that_toml_cannot_hold_is_json_and_said_so() {
    let site = Site::new(&json!([
        { "name": "a", "mac": "02:00:00:00:00:01", "state": { "plugins": null } },
    ]));
    let first = site.run(["check", "--print"]);
    assert_eq!(first.code, Some(0), "{}", first.err);
    assert!(first.err.contains("note: this is JSON"), "{}", first.err);
    let file = write(site.folder.path(), "normal.json", first.out.as_bytes());
    let second = run(["check", "--print", "--config", &file]);
    assert_eq!(second.out, first.out, "{}", second.err);
}

#[test]
fn an_image_that_is_missing_is_a_warning() {
    let site = Site::new(&target("debian"));
    let done = site.run(["check"]);
    assert_eq!(done.code, Some(0));
    assert!(
        done.err.contains(
            "netboot.targets[0].config: image debian is not in the store; node-01 gets a script \
             that says so"
        ),
        "{}",
        done.err
    );
    assert!(
        done.err
            .contains("cure: run `netboot image add debian --kernel FILE --initrd FILE`"),
        "{}",
        done.err
    );
    let images = json!({ "images": { "debian": { "nix": "debian.nix" } } });
    site.configure(&target("debian"), images);
    let done = site.run(["check"]);
    let cure = "cure: run `netboot image generate debian`";
    assert!(done.err.contains(cure), "{}", done.err);
    site.add("debian", "one");
    let done = site.run(["check"]);
    assert!(!done.err.contains("image debian"), "{}", done.err);
}

#[test]
fn an_image_that_cannot_be_used_is_a_warning_of_check() {
    let site = Site::new(&json!([]));
    site.add("debian", "one");
    let manifest = site.state().join("http/images/debian/manifest.json");
    let manifest = manifest.canonicalize().expect("a manifest");
    make_writable(&manifest);
    std::fs::write(&manifest, "{").expect("a file");
    let done = site.run(["check"]);
    assert_eq!(done.code, Some(0));
    assert!(
        done.err.contains("image debian cannot be used: "),
        "{}",
        done.err
    );
    let done = site.run(["image", "list"]);
    assert_eq!(done.code, Some(1));
    assert!(
        done.err.contains("netboot: debian cannot be used: "),
        "{}",
        done.err
    );
}

#[test]
fn check_and_doctor_warn_of_a_user_and_an_interface_that_are_not_there() {
    let site = Site::new(&json!([]));
    let server = json!({ "ip": SERVER, "interface": "lo0", "subnet": "127.0.0.0/8" });
    let more = json!({ "user": "netboot-nobody", "server": server });
    site.configure(&json!([]), more);
    let done = site.run(["check"]);
    assert_eq!(done.code, Some(0), "{}", done.err);
    let user = "netboot.user: there is no user netboot-nobody on this host, and without it root \
                serves nothing";
    let interface =
        "netboot.server.interface: lo0 is not there: nobody on it is served until it is";
    let cures = [
        "cure: make it with `useradd --system",
        "cure: did you mean `lo`?",
    ];
    let doctor = site.run(["doctor"]).out;
    for said in [user, interface].into_iter().chain(cures) {
        assert!(done.err.contains(said), "{said}\n{}", done.err);
        assert!(doctor.contains(said), "{said}\n{doctor}");
    }
    // Neither belongs to another host.
    let done = site.run(["check", "--for-another-host"]);
    assert!(
        !done.err.contains("not there") && !done.err.contains("no user"),
        "{}",
        done.err
    );
}
