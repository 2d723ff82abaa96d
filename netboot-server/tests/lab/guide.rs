//! The guide, run as it is written: every command of `examples/guide.md`, on a server and on a
//! machine beside it, in namespaces of their own with an empty `/etc/netboot` and
//! `/var/lib/netboot`.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::use_nix::use_nix;

const GUIDE: &str = include_str!("../../../examples/guide.md");
const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What the guide asks of its reader, in its order.
#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    /// A file with its content: the language of its block is followed by its path.
    File { path: &'a str, text: &'a str },
    /// A command on the server (`server#`) or on another machine of the boot network (`client$`).
    Run { place: &'a str, command: String },
    /// A command that is not run, and why: a comment before its block says so.
    Skipped { command: String, reason: &'a str },
}

fn steps(guide: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut skipped = None;
    let mut rest = guide;
    while let Some((line, after)) = rest.split_once('\n') {
        rest = after;
        if let Some(reason) = line.strip_prefix("<!-- not run: ") {
            skipped = Some(reason.trim_end_matches(" -->"));
        } else if let Some(info) = line.strip_prefix("```").filter(|info| !info.is_empty()) {
            let (block, after) = rest.split_once("\n```\n").expect("a block that ends");
            rest = after;
            match info.split_once(' ') {
                Some((_, path)) => steps.push(Step::File { path, text: block }),
                None if info == "console" => steps.extend(commands(block, skipped)),
                None => {}
            }
            skipped = None;
        } else if !line.is_empty() {
            skipped = None;
        }
    }
    steps
}

/// The commands of a block; a line after a backslash belongs to the one before.
fn commands<'a>(block: &'a str, skipped: Option<&'a str>) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    let mut lines = block.lines();
    while let Some(line) = lines.next() {
        let prompt = ["server# ", "client$ "]
            .into_iter()
            .find(|prompt| line.starts_with(prompt));
        let Some(prompt) = prompt else { continue };
        let mut command = line[prompt.len()..].to_owned();
        while let Some(start) = command.strip_suffix('\\') {
            command = start.trim_end().to_owned();
            command.push(' ');
            command.push_str(lines.next().expect("a line after a backslash").trim());
        }
        steps.push(match skipped {
            Some(reason) => Step::Skipped { command, reason },
            None => Step::Run {
                place: prompt.split(['#', '$']).next().unwrap_or_default(),
                command,
            },
        });
    }
    steps
}

/// A shell script of all steps, each announced, that ends at the first one that fails.
fn script(steps: &[Step<'_>], scratch: &Path) -> String {
    let mut script = format!(
        r#"set -euo pipefail
scratch={scratch}
mkdir "$scratch"/{{etc,etc.work,state}}
mount -t overlay overlay -o lowerdir=/etc,upperdir="$scratch/etc",workdir="$scratch/etc.work" /etc
mkdir -p /etc/netboot
mkdir -p /var/lib/netboot 2>/dev/null && made=1 || made=
mount --bind "$scratch/state" /var/lib/netboot
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /usr/local/bin
mkdir -p /run/netns
ip link set lo up
ip netns add client
ip link add eth1 type veth peer name eth0 netns client
ip link set eth1 up
ip -n client link set lo up
ip -n client link set eth0 up address 52:54:00:12:34:56
export NO_COLOR=1 PATH={bin}:$PATH
cd {REPOSITORY}
mkdir "$HOME/.ssh"
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuideGuideGuideGuideGuideGuideGuideGuid me@desk' >"$HOME/.ssh/id_ed25519.pub"
server() {{ bash -euo pipefail -c "$1"; }}
# What it fetches is not to lie in the repository.
client() {{ (cd "$scratch" && ip netns exec client bash -euo pipefail -c "$1"); }}
serve() {{
  "$@" 2>"$scratch/serve.log" &
  for _ in $(seq 300); do
    [ "$(grep -c ': listening' "$scratch/serve.log")" -lt 3 ] || return 0
    sleep 0.1
  done
  cat "$scratch/serve.log"
  return 1
}}
trap 'cat "$scratch/serve.log" || true' ERR
"#,
        scratch = scratch.display(),
        bin = Path::new(env!("CARGO_BIN_EXE_netboot"))
            .parent()
            .expect("a folder")
            .display(),
    );
    for step in steps {
        match step {
            Step::File { path, text } => writeln!(script, "mkdir -p \"$(dirname {path})\"")
                .and_then(|()| {
                    writeln!(script, "cat >{path} <<'END-OF-FILE'\n{text}\nEND-OF-FILE")
                }),
            Step::Run { command, .. } if command.starts_with("netboot serve") => {
                writeln!(script, "echo '== serve'\nserve {command}")
            }
            Step::Run { place, command } => {
                let quoted = command.replace('\'', r"'\''");
                writeln!(
                    script,
                    "echo '== {place}: {quoted}'\n{place} '{quoted}' </dev/null"
                )
            }
            Step::Skipped { .. } => Ok(()),
        }
        .expect("a string can be written");
    }
    script
}

#[test]
#[ignore = "needs root, and the Debian packages iproute2, nix-bin, curl, tftp-hpa and \
            debian-installer-12-netboot-amd64"]
fn the_guide_runs_as_it_is_written() {
    let scratch = tempfile::tempdir().expect("a folder");
    let steps = steps(GUIDE);
    let file = scratch.path().join("guide.sh");
    std::fs::write(&file, script(&steps, scratch.path())).expect("a script");
    let mut guide = Command::new("unshare");
    use_nix(&mut guide, scratch.path());
    let output = guide
        .args([
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "bash",
        ])
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .expect("unshare");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let wanted = steps
        .iter()
        .filter(|step| matches!(step, Step::Run { .. }))
        .count();
    let ran = said.lines().filter(|line| line.starts_with("== ")).count();
    assert_eq!(ran, wanted);
    assert!(ran > 20, "only {ran} commands are run");
    for step in &steps {
        if let Step::Skipped { command, reason } = step {
            assert!(
                reason.len() > 10,
                "{command} is not run, and nobody knows why"
            );
        }
    }
}
