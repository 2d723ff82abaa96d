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
  kill -HUP PID                                      # takes the configuration anew, as `netboot reload`";

pub(super) const CHECK: &str = "Examples:
  netboot check --config netboot.toml
  netboot check --print > normal.toml                # with all that is derived";

pub(super) const MENU: &str = "Examples:
  netboot menu
  netboot menu --mac 52:54:00:12:34:56               # what this machine gets";

pub(super) const STATUS: &str = "Examples:
  netboot status --watch
  netboot status --json | jq '.networks[].pool'";

pub(super) const EVENTS: &str = "Examples:
  netboot events --follow
  netboot events --follow --mac 52:54:00:12:34:56
  netboot events --json | jq 'select(.kind == \"http_refused\")'";

pub(super) const DOCTOR: &str = "Examples:
  netboot doctor
  netboot doctor --probe eth1                        # asks whether another DHCP server answers there";

pub(super) const COMPLETIONS: &str = "Examples:
  netboot completions bash > /etc/bash_completion.d/netboot
  netboot completions fish > ~/.config/fish/completions/netboot.fish";

pub(super) const MAN: &str = "Examples:
  netboot man | man -l -
  netboot man --dir /usr/local/share/man/man1";
