//! What cannot be built leaves the image in service as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::command::generate::{Builder, assert_failed};
use crate::support::nix::use_nix;
use crate::support::{Done, wait_until, write};

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn whatever_is_wrong_with_a_configuration_the_image_in_service_stays() {
    let builder = Builder::new();
    builder.configure("a", "");
    assert_eq!(builder.run("image generate a").code, Some(0));
    builder.assert_untouched();
    let generate = || builder.run("image generate a");

    builder.write("a", "{ hostName = ");
    let parts = ["nix-build ended with exit code 1", "correct what Nix says"];
    assert_failed(&generate(), &parts, "syntax error");
    builder.assert_untouched();

    builder.configure("a", "params = no-such-thing;");
    assert_failed(&generate(), &parts, "undefined variable 'no-such-thing'");
    builder.assert_untouched();
    // Where an error comes from is told when it is asked for.
    builder.configure("a", "params = (x: throw \"it \" + \"rains\") 1;");
    let traced = builder.run("image generate a --show-trace");
    assert!(traced.err.contains("configs/a.nix"), "{}", traced.err);

    builder.write("a", "{ hostName = \"a\"; initrd = ../../initrd.gz; }");
    assert_failed(
        &generate(),
        &["no kernel in", "config.system.build.kernel"],
        "",
    );
    builder.assert_untouched();

    builder.configure("a", "init = \"/nix/store/.../init\";");
    assert_failed(
        &generate(),
        &[
            "init=/nix/store/.../init",
            "placeholder",
            "; correct the configuration",
        ],
        "",
    );
    builder.assert_untouched();

    builder.configure(
        "a",
        "before = \"echo cannot write: No space left on device >&2; exit 1\\n\";",
    );
    assert_failed(
        &generate(),
        &["make room on the disk of the Nix store"],
        "No space left",
    );
    builder.assert_untouched();

    fs::remove_file(builder.path("state/configs/a.nix")).expect("removed");
    assert_failed(&generate(), &["configs/a.nix is not there; "], "");
    builder.assert_untouched();
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn a_build_that_is_cut_off_or_already_under_way_leaves_the_image_in_service() {
    let builder = Builder::new();
    builder.configure("a", "");
    assert_eq!(builder.run("image generate a").code, Some(0));
    let begun = builder.path("begun");
    for signal in ["-KILL", "-TERM"] {
        let wait = format!("echo $PPID > {}; sleep 600", begun.display());
        builder.configure("a", &format!("before = \"{wait}\\n# {signal}\\n\";"));
        let mut command = builder.command("image generate a");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let generating = command.spawn().expect("the command");
        let nix = || {
            fs::read_to_string(&begun)
                .ok()
                .filter(|pid| pid.ends_with('\n'))
        };
        wait_until("it builds", || nix().is_some());
        let second = builder.run("image generate a");
        assert_failed(
            &second,
            &["another `netboot image generate` builds it now; "],
            "",
        );
        // Nix itself is killed, or this command told to end.
        let pid = match signal {
            "-KILL" => nix().expect("a process").trim().to_owned(),
            _ => generating.id().to_string(),
        };
        let killed = Command::new("kill").args([signal, &pid]).status();
        assert!(killed.expect("kill runs").success());
        let done = Done::from(generating.wait_with_output().expect("it ends"));
        match signal {
            "-KILL" => {
                let parts = ["nix-build was cut off by signal 9; generate it again"];
                assert_failed(&done, &parts, "building");
            }
            _ => assert_failed(&done, &["it was told to end; generate it again"], ""),
        }
        builder.assert_untouched();
        fs::remove_file(&begun).expect("removed");
    }
}

#[test]
#[ignore = "needs root and the Debian package nix-bin"]
fn a_disk_that_is_full_leaves_the_image_in_service() {
    let builder = Builder::new();
    builder.configure("a", "");
    fs::create_dir(builder.path("state/http")).expect("a folder");
    // The mount is in a namespace of its own, and goes with it.
    let script = "mount -t tmpfs -o size=256k none state/http && \"$@\" && \
                  head -c 1000000 /dev/urandom > initrd.gz && { \"$@\"; echo \"code $?\"; \
                  \"$1\" image list --generations --state-dir state; \
                  \"$1\" image verify --state-dir state; }";
    let ours = builder.command("image generate a");
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(ours.get_program())
        .args(ours.get_args())
        .current_dir(builder.site.folder.path());
    use_nix(&mut command, &builder.path("nix"));
    let done = Done::from(command.output().expect("unshare runs"));
    let said: Vec<_> = done.out.lines().collect();
    assert_eq!(said[..2], ["a @1 is in the store", "code 1"], "{done:?}");
    assert!(
        said[3].starts_with("a      @1 ") && said[3].ends_with("current"),
        "{done:?}"
    );
    assert!(said[4].ends_with(": whole") && said.len() == 5, "{done:?}");
    let sentence = done.err.lines().next().expect("a sentence");
    assert!(
        sentence.contains("no space left while writing"),
        "{sentence}"
    );
    assert!(
        sentence.ends_with("; make room there, and generate it again"),
        "{sentence}"
    );
    assert_eq!(
        (done.err.lines().count(), builder.roots("a")),
        (1, vec!["1".to_owned()])
    );
}

#[test]
#[ignore = "needs the Debian packages nix-bin and git"]
fn without_git_it_says_that_a_flake_in_a_repository_needs_it() {
    let builder = Builder::new();
    let flake = builder.write_repository();
    builder.build_from(&format!("{}#nixosConfigurations.a", flake.display()));
    let bin = builder.path("bin");
    fs::create_dir(&bin).expect("a folder");
    std::os::unix::fs::symlink("/usr/bin/nix", bin.join("nix")).expect("a link");
    let mut command = builder.command("image generate a");
    let done = Done::from(command.env("PATH", &bin).output().expect("the command"));
    assert_failed(&done, &["; install git, "], "executing 'git'");
}

#[test]
fn without_nix_and_with_one_that_is_too_old_it_says_what_to_do() {
    let builder = Builder::new();
    builder.configure("a", "");
    let bin = builder.path("bin");
    fs::create_dir(&bin).expect("a folder");
    let generate = || {
        let mut command = builder.command("image generate a");
        Done::from(command.env("PATH", &bin).output().expect("the command"))
    };
    let instead = "`netboot image add NAME --from DIR`";
    assert_failed(
        &generate(),
        &["nix-build is not on this machine; ", "nix-bin", instead],
        "",
    );
    for (version, is_old) in [("2.2.1", true), ("2.3.0", false)] {
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && echo 'nix-build (Nix) {version}' && exit\n\
             echo 'error: it rains' >&2; exit 100\n"
        );
        let program = write(&bin, "nix-build", script.as_bytes());
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("executable");
        let (part, by_nix) = match is_old {
            true => ("Nix 2.2.1 is too old: 2.3 is the oldest that can; ", ""),
            false => ("nix-build ended with exit code 100; ", "error: it rains"),
        };
        assert_failed(&generate(), &[part], by_nix);
    }
    assert!(builder.roots("a").is_empty());
    let none = builder.run("image generate --all");
    assert!(
        none.err.contains("says for none what it is built from; "),
        "{}",
        none.err
    );
    assert_eq!(builder.run("image generate").code, Some(2));
}
