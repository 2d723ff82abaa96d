# Two NixOS machines: one serves, the other has an empty disk and boots from it.
# It is not run where this repository is tested: that needs nixpkgs.
{ pkgs, module }:

let
  # What the second machine boots: the smallest image that nixpkgs makes, told to show its name.
  image =
    (import "${pkgs.path}/nixos/lib/eval-config.nix" {
      inherit (pkgs) system;
      modules = [
        "${pkgs.path}/nixos/modules/installer/netboot/netboot-minimal.nix"
        {
          boot.kernelParams = [ "console=ttyS0" ];
          networking.hostName = "from-the-network";
          system.stateVersion = "24.11";
        }
      ];
    }).config.system.build;
in
pkgs.nixosTest {
  name = "netboot";

  nodes.server =
    { ... }:
    {
      imports = [ module ];
      virtualisation.vlans = [ 1 ];
      virtualisation.diskSize = 4096;
      networking.useDHCP = false;
      services.netboot = {
        enable = true;
        interface = "eth1";
        serverIp = "192.168.1.1";
        subnet = "192.168.1.0/24";
        ranges = [
          {
            start = "192.168.1.100";
            end = "192.168.1.200";
          }
        ];
        menu.default = "minimal";
        menu.timeout = 1;
      };
    };

  nodes.machine =
    { ... }:
    {
      virtualisation.vlans = [ 1 ];
      virtualisation.memorySize = 4096;
      virtualisation.useBootLoader = false;
      virtualisation.directBoot.enable = false;
      virtualisation.qemu.options = [ "-boot n" ];
    };

  testScript = ''
    server.start()
    server.wait_for_unit("netboot.service")
    server.succeed(
        "netboot image add minimal --from ${image.kernel} ${image.netbootRamdisk} ${image.netbootIpxeScript}"
    )
    machine.start()
    machine.wait_for_console_text("from-the-network login")
    server.succeed("netboot status --json | grep -q minimal")
  '';
}
