# A host for containers and virtual machines with several processor sockets: bridges, NUMA tools, and
# its state from the boot server.
{ pkgs, ... }:

{
  imports = [
    ./image.nix
    ./state.nix
  ];

  boot = {
    supportedFilesystems = [ "btrfs" ];
    kernelModules = [
      "bridge"
      "kvm-amd"
      "kvm-intel"
      "overlay"
      "veth"
      "vhost_net"
    ];
    kernelParams = [
      "numa_balancing=enable"
      "transparent_hugepage=madvise"
    ];
    kernel.sysctl."net.ipv4.ip_forward" = 1;
  };

  # The bridge takes the first card, and its address from the boot server.
  networking = {
    useDHCP = false;
    bridges.vmbr0.interfaces = [ "eth0" ];
    interfaces.vmbr0.useDHCP = true;
    usePredictableInterfaceNames = false;
    firewall.allowedTCPPorts = [
      22
      8006
    ];
  };

  environment.systemPackages = [
    pkgs.btrfs-progs
    pkgs.ethtool
    pkgs.htop
    pkgs.hwloc
    pkgs.lxc
    pkgs.numactl
    pkgs.tcpdump
    pkgs.vim
  ];
}
