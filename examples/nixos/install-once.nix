# Boots from the network once, installs a system to the disk, tells the server, and starts from the
# disk from then on.
#
# In the server's configuration, for the machines:
#   install = { image = "install-once", then = "local" }
# and for this image, where `{report}` is the machine's one-time URL:
#   cmdline = "netboot.report={report}"
# A machine whose disk is not empty says so and waits, unless its target's cmdline has netboot.wipe=yes.
# netboot.disk= chooses among several disks: `smallest`, `largest` or a device.
{
  config,
  lib,
  pkgs,
  ...
}:

{
  imports = [ ./image.nix ];

  options.netboot.install.system = lib.mkOption {
    type = lib.types.package;
    description = "The system that the disk gets: `config.system.build.toplevel` of its configuration.";
  };

  config = {
    # Without it the system would have to be fetched before it can be installed.
    netboot.storeContents = [ config.netboot.install.system ];

    systemd.services.install-to-disk = {
      description = "Install to the disk, once";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      path = [
        config.system.build.nixos-install
        pkgs.coreutils
        pkgs.curl
        pkgs.dosfstools
        pkgs.e2fsprogs
        pkgs.gawk
        pkgs.gnugrep
        pkgs.gnused
        pkgs.systemd
        pkgs.util-linux
      ];
      script = ''
        argument() { tr -s '[:space:]' '\n' </proc/cmdline | sed -n "s/^$1=//p" | tail -n 1; }
        options=(--disk "$(argument netboot.disk | grep . || echo auto)")
        report=$(argument netboot.report)
        if [ -z "$report" ]; then
          echo "the kernel command line has no netboot.report=URL: the server could not be told" >&2
          exit 1
        fi
        if [ "$(argument netboot.wipe)" = yes ]; then options+=(--consent wipe); fi
        bash ${./install-to-disk.sh} --system ${config.netboot.install.system} --report "$report" "''${options[@]}"
        systemctl reboot
      '';
      serviceConfig = {
        Type = "oneshot";
        StandardOutput = "journal+console";
        StandardError = "journal+console";
      };
    };
  };
}
