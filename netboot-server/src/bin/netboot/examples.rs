//! What `--help` and the manual pages show below each command's options.

pub(super) const NETBOOT: &str = "Examples:
  netboot demo                                       # the whole chain, here and now
  netboot image add debian --kernel linux --initrd initrd.gz --label 'Debian installer'
  netboot check                                      # what is wrong with the configuration
  netboot doctor                                     # what of this host is in the way
  netboot serve
  netboot status --watch";

pub(super) const SERVE: &str = "Examples:
  netboot serve --config netboot.toml
  netboot serve --config targets.json --config server.toml --log-format json
  kill -HUP PID                                      # as `netboot reload`";

pub(super) const CHECK: &str = "Examples:
  netboot check --config netboot.toml
  netboot check --config rack-2.json --for-another-host
  netboot check --print > normal.toml                # with all that is derived";

pub(super) const MENU: &str = "Examples:
  netboot menu
  netboot menu --mac 52:54:00:12:34:56               # what this machine gets";

pub(super) const EXPLAIN: &str = "Examples:
  netboot explain --mac 52:54:00:12:34:56
  netboot explain --mac 52:54:00:12:34:56 --arch x64-http --script
  netboot explain --circuit 'eth1/3' --json | jq .reasons";

pub(super) const MACHINE: &str = "Examples:
  netboot machine node-01 installed
  netboot machine node-01 reinstall";

pub(super) const BOOTS: &str = "Examples:
  netboot boots
  netboot boots node-07 --json | jq .boots[0].outcome
  netboot boots --failed -n 10";

pub(super) const WHY: &str = "Examples:
  netboot why                                        # the boot that failed last
  netboot why node-07
  netboot why --boot 42 --json | jq .findings
  netboot why --pcap boot.pcapng                     # whichever server was recorded
  netboot why node-07 --anonymize report.json        # to be attached to a report

The exit code is 0 where nothing is wrong, 3 where something was found, and 1 where it could not be
looked for.";

pub(super) const RELOAD: &str = "Examples:
  netboot check && netboot reload
  netboot reload --state-dir /srv/netboot            # the server that runs on this folder";

pub(super) const PROBE: &str = "Examples:
  netboot probe --server 192.168.100.1 --firmware uefi
  netboot probe --interface eth1 --mac 52:54:00:12:34:56
  netboot probe --server 192.168.100.1 --choose item-0-debian --json | jq .boots";

pub(super) const DEMO: &str = "Examples:
  netboot demo
  netboot demo --vm uefi                             # as root, with QEMU
  netboot demo --vm bios --kernel vmlinuz --initrd initrd.img --cmdline 'console=ttyS0'";

pub(super) const IMAGE: &str = "Examples:
  netboot image add debian --kernel linux --initrd initrd.gz --label 'Debian installer'
  netboot image list --generations
  netboot image rollback debian";

pub(super) const IMAGE_ADD: &str = "Examples:
  netboot image add debian --kernel linux --initrd initrd.gz --cmdline 'console=ttyS0 quiet'
  netboot image add node --from result result-2 result-3
  netboot image add rescue --iso rescue.iso";

pub(super) const IMAGE_GENERATE: &str = "Examples:
  netboot image generate workstation
  netboot image generate --all --jobs 1";

pub(super) const IMAGE_LIST: &str = "Examples:
  netboot image list
  netboot image list --json | jq '.images[].name'";

pub(super) const IMAGE_VERIFY: &str = "Examples:
  netboot image verify
  netboot image verify debian --ca ca.pem";

pub(super) const IMAGE_SIGN: &str = "Examples:
  netboot image sign debian --cert codesign.pem --key codesign.key
  netboot image sign debian --gpg=release@example.org";

pub(super) const IMAGE_ROLLBACK: &str = "Examples:
  netboot image rollback debian
  netboot image rollback debian --to @3";

pub(super) const LEASES: &str = "Examples:
  netboot leases
  netboot leases --json | jq '.[].address'";

pub(super) const IMAGE_PRUNE: &str = "Examples:
  netboot image prune --dry-run
  netboot image prune debian --keep 1";

pub(super) const STATUS: &str = "Examples:
  netboot status --watch
  netboot status --json | jq '.networks[].pool'";

pub(super) const EVENTS: &str = "Examples:
  netboot events --follow
  netboot events --follow --mac 52:54:00:12:34:56
  netboot events --json | jq 'select(.kind == \"http_refused\")'";

pub(super) const DOCTOR: &str = "Examples:
  netboot doctor
  netboot doctor --probe eth1                        # asks whether another DHCP server answers";

pub(super) const COMPLETIONS: &str = "Examples:
  netboot completions bash > /etc/bash_completion.d/netboot
  netboot completions fish > ~/.config/fish/completions/netboot.fish";

pub(super) const MAN: &str = "Examples:
  netboot man | man -l -
  netboot man --dir /usr/local/share/man/man1";

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::Arguments;

    /// The words of a line, as a shell takes them, up to a comment or another command.
    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (nth, part) in line.split('\'').enumerate() {
            let quoted = nth % 2 == 1;
            if quoted {
                words.push(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        let end = ["#", "|", ">", "&&"];
        let length = words.iter().position(|word| end.contains(&word.as_str()));
        words.truncate(length.unwrap_or(words.len()));
        words
    }

    fn check(command: &clap::Command) {
        for inner in command.get_subcommands() {
            check(inner);
        }
        let shown = command.get_after_help().map(ToString::to_string);
        let shown = shown.unwrap_or_default();
        let mut examples = shown.lines().filter(|line| line.starts_with("  netboot "));
        let of_its_own = command.has_subcommands() || command.get_name() == "remove";
        assert!(of_its_own || examples.clone().next().is_some(), "{command}");
        assert!(
            examples.all(|line| Arguments::try_parse_from(words(line)).is_ok()),
            "{shown}"
        );
    }

    fn leaves(command: &clap::Command, path: &str) -> Vec<String> {
        let path = format!("{path}{}", command.get_name());
        let inner = command.get_subcommands();
        let inner = inner.flat_map(|inner| leaves(inner, &format!("{path} ")));
        let mut all: Vec<_> = inner.collect();
        if all.is_empty() {
            all.push(path);
        }
        all
    }

    #[test]
    fn each_command_stands_in_the_readme() {
        let readme = include_str!("../../../README.md");
        for command in leaves(&Arguments::command(), "") {
            assert!(readme.contains(&format!("`{command}")), "{command}");
        }
    }

    #[test]
    fn each_command_shows_examples_and_takes_them() {
        check(&Arguments::command());
    }
}
