# A diskless workstation: one processor socket, its state from the boot server.
{ pkgs, ... }:

{
  imports = [
    ./image.nix
    ./state.nix
  ];

  netboot.image.authorizedKeys = [
    # Your key: a line of ~/.ssh/id_ed25519.pub. The image is not built without one.
  ];

  boot.supportedFilesystems = [ "btrfs" ];
  networking.firewall.allowedTCPPorts = [ 22 ];

  environment.systemPackages = [
    pkgs.btrfs-progs
    pkgs.htop
    pkgs.vim
  ];
}
