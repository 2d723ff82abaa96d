# A module for an image as a host's configuration, with a set laid over it.
{
  module,
  set ? { },
}:

let
  system = import ./module_system.nix;
  # Any package is a name: what matters here is which ones are named.
  pkgs = builtins.listToAttrs (
    map
      (name: {
        inherit name;
        value = "/packages/${name}";
      })
      [
        "bash"
        "btrfs-progs"
        "coreutils"
        "curl"
        "dosfstools"
        "e2fsprogs"
        "ethtool"
        "gawk"
        "git"
        "gnugrep"
        "gnused"
        "gptfdisk"
        "hdparm"
        "htop"
        "hwloc"
        "lxc"
        "numactl"
        "nvme-cli"
        "parted"
        "smartmontools"
        "systemd"
        "tcpdump"
        "util-linux"
        "vim"
      ]
  );
in
# Of what a whole host has, only the options of this repository are declared.
(system.evaluate {
  place = "the host";
  free = system.lib.types.undeclared;
  modules = [
    module
    set
    { system.build.nixos-install = "/packages/nixos-install"; }
  ];
  arguments = {
    inherit pkgs;
    modulesPath = ./nixpkgs;
  };
}).config
