//! The NixOS module and the example images, evaluated by Debian's Nix against as much of the module
//! system as they need, and the scripts of the images on file-backed disks and over HTTP.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use netboot_image::Digest;
use serde_json::Value;
use tempfile::TempDir;

use use_nix::use_nix;

#[path = "support/nix.rs"]
mod use_nix;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const GUIDE: &str = "import ./guide.nix";

/// Nix with a store of its own, without a network and without build users.
struct Nix(TempDir);

impl Nix {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let bin = dir.path().join("package/bin");
        fs::create_dir_all(&bin).expect("a folder");
        symlink(env!("CARGO_BIN_EXE_netboot"), bin.join("netboot")).expect("a link");
        Self(dir)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nixos"));
        use_nix(&mut command, self.0.path());
        command
    }

    /// The module with the guide's options, and some laid over them.
    fn module(&self, over: &str) -> String {
        let package = self.0.path().join("package");
        format!(
            "import ./evaluate.nix {{ package = \"{}\"; set = {GUIDE} // {{ {over} }}; }}",
            package.display()
        )
    }

    fn evaluate(&self, expression: &str) -> Output {
        let mut command = self.command("nix-instantiate");
        command.args(["--eval", "--strict", "--json", "-E", expression]);
        command.output().expect("nix-instantiate")
    }

    fn value(&self, expression: &str) -> Value {
        let output = self.evaluate(expression);
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn error(&self, expression: &str) -> String {
        let output = self.evaluate(expression);
        assert!(!output.status.success(), "{expression} was accepted");
        said(&output)
    }

    /// Builds the configuration file that the module makes.
    fn configuration(&self, over: &str) -> Output {
        let file = "config.environment.etc.\"netboot/netboot.json\".source";
        let mut command = self.command("nix-build");
        command.args(["--no-out-link", "-E"]);
        command.arg(format!("({}).{file}", self.module(over)));
        command.output().expect("nix-build")
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn the_guides_options_make_a_configuration_that_the_check_accepts_while_it_is_built() {
    let nix = Nix::new();
    let output = nix.configuration("");
    assert!(output.status.success(), "{}", said(&output));
    let said = said(&output);
    assert!(
        said.contains("the configuration holds: 1 network(s), 3 target(s)"),
        "{said}"
    );

    let path = String::from_utf8(output.stdout).expect("a path");
    let document: Value =
        serde_json::from_slice(&fs::read(path.trim()).expect("the file")).expect("JSON");
    let netboot = &document["netboot"];
    assert_eq!(netboot["networks"][0]["server"], "10.0.0.1");
    assert_eq!(netboot["networks"][0]["ranges"][0]["end"], "10.0.0.200");
    assert_eq!(netboot["targets"][0]["config"], "proxmox-host");
    // What is not set is not written; a state is passed on to the letter.
    assert_eq!(netboot["networks"][0].get("domain"), None);
    assert_eq!(netboot["targets"][1].get("state"), None);
    assert_eq!(
        netboot["targets"][0]["state"]["plugins"]["lxc"]["parent"],
        Value::Null
    );
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn a_configuration_that_the_check_refuses_is_not_built() {
    let nix = Nix::new();
    let output = nix.configuration("gateway = \"10.9.9.9\";");
    assert!(!output.status.success());
    let said = said(&output);
    assert!(said.contains("netboot.networks[0].gateway: "), "{said}");

    let output = nix.configuration("settings.tragets = [ ];");
    assert!(!output.status.success());
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn each_option_has_a_type_and_a_description() {
    let nix = Nix::new();
    let undocumented = nix.value(&format!("({}).undocumented", nix.module("")));
    assert_eq!(undocumented, serde_json::json!([]));
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn a_wrong_value_is_refused_with_its_option() {
    let nix = Nix::new();
    for (over, refused) in [
        ("serverIp = \"10.0.0\";", "services.netboot.serverIp is not"),
        ("subnet = \"10.0.0.0\";", "services.netboot.subnet is not"),
        (
            "interfase = \"eth1\";",
            "services.netboot.interfase is no option",
        ),
        (
            "targets = [ { name = \"a\"; mac = \"52:54\"; } ];",
            "services.netboot.targets.*.mac is not",
        ),
        (
            "menu.unknown = \"nothing\";",
            "services.netboot.menu.unknown is not",
        ),
    ] {
        // The configuration is made of all options, so that each of them is looked at.
        let config = format!("({}).config", nix.module(over));
        let error = nix.error(&format!(
            "{config}.environment.etc.\"netboot/netboot.json\".source"
        ));
        assert!(error.contains(refused), "{over}: {error}");
    }
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn what_cannot_be_meant_is_a_failed_assertion() {
    let nix = Nix::new();
    for (over, fragment) in [
        ("ranges = [ ];", "services.netboot.ranges"),
        (
            "images.a = { nix = \"/a.nix\"; flake = \"/a#a\"; };",
            "not from both",
        ),
        ("images = { };", "services.netboot.generate.enable"),
    ] {
        let assertions = nix.value(&format!("({}).config.assertions", nix.module(over)));
        let failed: Vec<&Value> = assertions
            .as_array()
            .expect("a list")
            .iter()
            .filter(|assertion| assertion["assertion"] == false)
            .collect();
        let [failed] = failed.as_slice() else {
            panic!("{over}: {failed:?}");
        };
        assert!(failed["message"].to_string().contains(fragment), "{failed}");
    }
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn the_unit_the_firewall_the_timer_and_the_secrets_are_as_the_options_say() {
    let nix = Nix::new();
    let over = "credentials.\"tls.key\" = \"/run/secrets/tls.key\"; generate = { enable = true; onCalendar = \"04:30\"; };";
    let config = nix.value(&format!("({}).config", nix.module(over)));
    assert_eq!(
        config["networking"]["firewall"]["interfaces"],
        serde_json::json!({ "eth1": { "allowedUDPPorts": [67, 69, 4011], "allowedTCPPorts": [80] } })
    );
    let service = &config["systemd"]["services"]["netboot"]["serviceConfig"];
    assert_eq!(service["LoadCredential"][0], "tls.key:/run/secrets/tls.key");
    assert_eq!(service["ExecStart"][0], "");
    let timer = &config["systemd"]["timers"]["netboot-generate"]["timerConfig"];
    assert_eq!(timer["OnCalendar"], "04:30");
    assert_eq!(timer["RandomizedDelaySec"], "1h");

    let closed = nix.value(&format!(
        "({}).config",
        nix.module("openFirewall = false; generate = { };")
    ));
    assert_eq!(closed["networking"]["firewall"]["interfaces"], Value::Null);
    assert_eq!(closed["systemd"]["timers"]["netboot-generate"], Value::Null);
    let off = nix.value(&format!("({}).config", nix.module("enable = false;")));
    assert_eq!(off, Value::Null);
}

#[test]
#[ignore = "needs the Debian package nix-bin"]
fn an_example_image_without_an_ssh_key_is_not_built() {
    let nix = Nix::new();
    for name in ["workstation", "proxmox-host", "installer", "install-once"] {
        for (keys, builds) in [
            ("", false),
            ("\"your key here\"", false),
            ("\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@desk\"", true),
        ] {
            let set = format!(
                "{{ netboot.image.authorizedKeys = [ {keys} ]; {} }}",
                if name == "install-once" {
                    "netboot.install.system = \"/system\";"
                } else {
                    ""
                }
            );
            let host = format!(
                "import ./images.nix {{ module = ../../../examples/nixos/{name}.nix; set = {set}; }}"
            );
            // All of the image is looked at, not only what is asserted.
            let host = nix.value(&host);
            let assertion = &host["assertions"][0];
            assert_eq!(assertion["assertion"], builds, "{name} with {keys}");
            assert!(
                assertion["message"]
                    .to_string()
                    .contains("holds no SSH key")
            );
            assert_eq!(
                host["services"]["openssh"]["settings"]["PasswordAuthentication"],
                false
            );
        }
    }
}

/// A file as a block device, for as long as it lives.
struct Disk {
    device: PathBuf,
    _file: tempfile::NamedTempFile,
}

impl Disk {
    fn new(gib: u64) -> Self {
        let file = tempfile::NamedTempFile::new().expect("a file");
        file.as_file().set_len(gib << 30).expect("a sparse file");
        let output = Command::new("losetup")
            .args(["--find", "--partscan", "--show"])
            .arg(file.path())
            .output()
            .expect("losetup");
        assert!(output.status.success(), "{}", said(&output));
        let device = String::from_utf8(output.stdout).expect("a path");
        Self {
            device: device.trim().into(),
            _file: file,
        }
    }

    fn part(&self, number: u8) -> PathBuf {
        format!("{}p{number}", self.device.display()).into()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("losetup")
            .arg("--detach")
            .arg(&self.device)
            .status();
    }
}

/// What stands in for the machine that installs: `nixos-install`, and a `mount` for kernels without
/// FAT, which this repository is tested on.
struct Installer {
    dir: TempDir,
}

impl Installer {
    fn new(nixos_install: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("bin")).expect("a folder");
        fs::create_dir(dir.path().join("system")).expect("a folder");
        let installer = Self { dir };
        installer.program("nixos-install", nixos_install);
        installer.program(
            "mount",
            "case $1 in *p2) exec /usr/bin/mount -t tmpfs esp \"$2\" ;; *) exec /usr/bin/mount \"$@\" ;; esac",
        );
        installer
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.dir.path().join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\nset -eu\n{script}\n")).expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let path = format!(
            "{}:/usr/sbin:/usr/bin:/sbin:/bin",
            self.dir.path().join("bin").display()
        );
        Command::new("bash")
            .arg(format!("{REPOSITORY}/examples/nixos/install-to-disk.sh"))
            .arg("--system")
            .arg(self.dir.path().join("system"))
            .args(arguments)
            .env("PATH", path)
            .output()
            .expect("bash")
    }

    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{arguments:?}: {}",
            said(&output)
        );
        said(&output)
    }
}

const INSTALL: &str = "echo \"$*\" >\"$2/installed\"; echo boot >\"$2/boot/loader\"";

/// Answers one request, and gives back its first line.
fn answer_once(answer: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
        let first = lines.next().expect("a line").expect("a line");
        for line in lines {
            if line.expect("a line").is_empty() {
                break;
            }
        }
        stream.write_all(answer.as_bytes()).expect("an answer");
        first
    });
    (address, served)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// What is on the disk, from its first MiB.
fn head(disk: &Disk) -> Vec<u8> {
    let mut head = Vec::new();
    let file = fs::File::open(&disk.device).expect("the disk");
    file.take(1 << 20).read_to_end(&mut head).expect("its head");
    head
}

#[test]
#[ignore = "needs root, loop devices and the Debian packages fdisk, dosfstools and e2fsprogs"]
fn an_empty_disk_is_installed_to_and_the_server_is_told_afterwards() {
    let installer = Installer::new(INSTALL);
    let disk = Disk::new(3);
    let (address, served) = answer_once("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    let report = format!("http://{address}/machines/node-01/installed?token=abc");
    let output = installer.run(&["--among", text(&disk.device), "--report", &report]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        served.join().expect("a report"),
        "POST /machines/node-01/installed?token=abc HTTP/1.1"
    );

    let root = tempfile::tempdir().expect("a folder");
    let mounted = |options: &[&str]| {
        Command::new("mount")
            .args(options)
            .status()
            .expect("mount")
            .success()
    };
    assert!(mounted(&[
        "-o",
        "ro",
        text(&disk.part(3)),
        text(root.path())
    ]));
    let installed = fs::read_to_string(root.path().join("installed"));
    // In use now, so that not even consent lets it be written.
    let refused = installer.refusal(&["--disk", text(&disk.device), "--consent", "wipe"]);
    assert!(
        Command::new("umount")
            .arg(root.path())
            .status()
            .expect("umount")
            .success()
    );
    assert!(installed.expect("the marker").contains("--no-root-passwd"));
    assert!(
        refused.contains(&format!("is in use: {}", root.path().display())),
        "{refused}"
    );
}

#[test]
#[ignore = "needs root, loop devices and the Debian packages fdisk, dosfstools and e2fsprogs"]
fn a_disk_that_is_not_empty_is_only_written_with_consent() {
    let installer = Installer::new(INSTALL);
    let disk = Disk::new(3);
    let made = Command::new("mkfs.ext4")
        .arg("-q")
        .arg(&disk.device)
        .status();
    assert!(made.expect("mkfs.ext4").success());
    let before = head(&disk);
    let refused = installer.refusal(&["--among", text(&disk.device)]);
    assert!(refused.contains("is not empty: ext4"), "{refused}");
    assert!(refused.contains("netboot.wipe=yes"), "{refused}");
    assert!(head(&disk) == before, "a disk without consent was written");

    let output = installer.run(&["--among", text(&disk.device), "--consent", "wipe"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(head(&disk) != before);
}

#[test]
#[ignore = "needs root, loop devices and the Debian packages fdisk, dosfstools and e2fsprogs"]
fn of_several_disks_none_is_guessed() {
    let installer = Installer::new(INSTALL);
    let (small, large, tiny) = (Disk::new(3), Disk::new(4), Disk::new(1));
    let among = [
        "--among",
        text(&small.device),
        "--among",
        text(&large.device),
        "--among",
        text(&tiny.device),
    ];
    let empty = head(&small);
    let refused = installer.refusal(&among);
    assert!(refused.contains("several disks would do"), "{refused}");
    assert!(head(&small) == empty && head(&large) == empty);

    let largest = [&among[..], &["--disk", "largest"]].concat();
    let output = installer.run(&largest);
    assert!(output.status.success(), "{}", said(&output));
    assert!(head(&small) == empty && head(&large) != empty);

    let refused = installer.refusal(&["--among", text(&tiny.device)]);
    assert!(refused.contains("is smaller than 2 GiB"), "{refused}");
    let refused = installer.refusal(&["--disk", "/dev/null"]);
    assert!(
        refused.contains("/dev/null is no block device"),
        "{refused}"
    );
    let refused = installer.refusal(&["--disk", "fastest", "--among", text(&small.device)]);
    assert!(
        refused.contains("the rule fastest is not known"),
        "{refused}"
    );
}

#[test]
#[ignore = "needs root, loop devices and the Debian packages fdisk, dosfstools and e2fsprogs"]
fn an_installation_that_fails_is_not_reported_and_leaves_nothing_mounted() {
    let installer = Installer::new("echo \"$2\" >\"${0%/*}/root\"; exit 3");
    let disk = Disk::new(3);
    // A report would be tried on a port where nobody listens, and fail with another code.
    let output = installer.run(&[
        "--among",
        text(&disk.device),
        "--report",
        "http://127.0.0.1:9/",
    ]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let root =
        fs::read_to_string(installer.dir.path().join("bin/root")).expect("where it was mounted");
    assert!(!Path::new(root.trim()).exists(), "{root} is still there");
}

/// Runs the script of the image with a kernel command line.
fn fetch_state(cmdline: &str, dir: &Path) -> Output {
    let file = dir.join("cmdline");
    fs::write(&file, cmdline).expect("a command line");
    Command::new("bash")
        .arg(format!("{REPOSITORY}/examples/nixos/fetch-state.sh"))
        .arg(dir.join("etc/state.json"))
        .env("CMDLINE", file)
        .output()
        .expect("bash")
}

const STATE: &str = r#"{"plugins":{}}"#;
const STATE_ANSWER: &str =
    "HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\n{\"plugins\":{}}";

#[test]
#[ignore = "needs the Debian package curl"]
fn a_state_is_taken_only_where_it_is_what_the_command_line_says() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("etc/state.json");
    let digest = Digest::of(STATE.as_bytes());
    let (address, served) = answer_once(STATE_ANSWER);
    let output = fetch_state(
        &format!(
            "quiet netboot.state=http://{address}/states/a.json netboot.state-digest={digest}\n"
        ),
        dir.path(),
    );
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        served.join().expect("a request"),
        "GET /states/a.json HTTP/1.1"
    );
    assert_eq!(fs::read_to_string(&file).expect("the state"), STATE);

    let (address, _served) = answer_once(STATE_ANSWER);
    let other = Digest::of(b"another");
    let output = fetch_state(
        &format!("netboot.state=http://{address}/ netboot.state-digest={other}"),
        dir.path(),
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("it has changed since"),
        "{}",
        said(&output)
    );
    assert_eq!(fs::read_to_string(&file).expect("the old state"), STATE);
    let beside = fs::read_dir(dir.path().join("etc"))
        .expect("the folder")
        .count();
    assert_eq!(beside, 1, "a temporary file is left");

    let output = fetch_state(
        "netboot.state=http://127.0.0.1:9/ netboot.state-digest=none",
        dir.path(),
    );
    assert!(output.status.success());
    let output = fetch_state("quiet", dir.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("has no netboot.state=URL"),
        "{}",
        said(&output)
    );
}
