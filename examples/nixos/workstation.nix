# A diskless workstation: one processor socket, its state from the boot server.
{ pkgs, ... }:

{
  imports = [
    ./image.nix
    ./state.nix
  ];

  boot.supportedFilesystems = [ "btrfs" ];
  networking.firewall.allowedTCPPorts = [ 22 ];

  environment.systemPackages = [
    pkgs.btrfs-progs
    pkgs.htop
    pkgs.vim
  ];
}
