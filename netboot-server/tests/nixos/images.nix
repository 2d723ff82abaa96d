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
system.host {
  modules = [
    module
    set
  ];
  modulesPath = ./nixpkgs;
  inherit pkgs;
  rest.system.build.nixos-install = "/packages/nixos-install";
}
