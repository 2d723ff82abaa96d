# Three NixOS machines: one serves; the two others have no disk and boot from it, by BIOS and by
# UEFI. It is not run where this repository is tested: that needs nixpkgs.
{ pkgs, module }:

let
  # What the machines boot: the smallest image that nixpkgs makes, told to show its name.
  image =
    (import "${pkgs.path}/nixos/lib/eval-config.nix" {
      inherit (pkgs.stdenv.hostPlatform) system;
      modules = [
        "${pkgs.path}/nixos/modules/installer/netboot/netboot-minimal.nix"
        {
          boot.kernelParams = [ "console=ttyS0" ];
          networking.hostName = "from-the-network";
          system.stateVersion = "24.11";
        }
      ];
    }).config.system.build;

  # Firmware, memory and one network card.
  diskless =
    { lib, ... }:
    {
      virtualisation = {
        vlans = [ 1 ];
        memorySize = 4096;
        diskImage = null;
        useBootLoader = false;
        directBoot.enable = false;
        qemu.networkingOptions = lib.mkForce [ ];
        qemu.options = [ "-boot n" ];
      };
    };
in
pkgs.testers.runNixOSTest {
  name = "netboot";
  meta.maintainers = [ ];

  nodes.server =
    { config, ... }:
    {
      imports = [ module ];
      virtualisation.vlans = [ 1 ];
      virtualisation.diskSize = 4096;
      networking.useDHCP = false;
      services.netboot = {
        enable = true;
        openFirewall = true;
        settings = {
          networks = [
            {
              interface = "eth1";
              # The test gives each machine its number.
              server = config.networking.primaryIPAddress;
              subnet = "192.168.1.0/24";
              ranges = [
                {
                  start = "192.168.1.100";
                  end = "192.168.1.200";
                }
              ];
            }
          ];
          menu.default = "minimal";
          menu.timeout = 1;
        };
      };
    };

  nodes.bios = diskless;

  nodes.uefi = {
    imports = [ diskless ];
    virtualisation.useEFIBoot = true;
  };

  testScript = ''
    server.start()
    server.wait_for_unit("netboot.service")
    server.succeed(
        "netboot image add minimal --from ${image.kernel} "
        "${image.netbootRamdisk} ${image.netbootIpxeScript}"
    )
    server.succeed("systemctl reload netboot.service")
    for machine in [bios, uefi]:
        machine.start()
        machine.wait_for_console_text("from-the-network login")
        machine.crash()
    server.succeed("netboot status --json | grep -q minimal")
  '';
}
