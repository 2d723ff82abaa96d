# A system in memory with what an installation by hand needs. It writes to no disk by itself.
{ pkgs, ... }:

{
  imports = [ ./image.nix ];

  boot.supportedFilesystems = [
    "btrfs"
    "ext4"
    "xfs"
  ];

  environment.systemPackages = [
    pkgs.curl
    pkgs.dosfstools
    pkgs.git
    pkgs.gptfdisk
    pkgs.hdparm
    pkgs.nvme-cli
    pkgs.parted
    pkgs.smartmontools
  ];
}
