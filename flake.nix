{
  description = "Network boot service: DHCP, TFTP, iPXE scripts and HTTP from one boot policy";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forEach = make: lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      packages = forEach (pkgs: rec {
        netboot-server = pkgs.callPackage ./netboot-server/dist/nixos/package.nix { };
        default = netboot-server;
      });

      # The module takes its package from here, as it is in no nixpkgs.
      nixosModules.netboot-server =
        { pkgs, ... }:
        {
          imports = [ ./netboot-server/dist/nixos/module.nix ];
          services.netboot.package =
            lib.mkDefault
              self.packages.${pkgs.stdenv.hostPlatform.system}.netboot-server;
        };
      nixosModules.default = self.nixosModules.netboot-server;

      # Not run where this repository is tested: nixpkgs is out of reach there.
      checks.x86_64-linux.vm = import ./netboot-server/dist/nixos/vm-test.nix {
        pkgs = nixpkgs.legacyPackages.x86_64-linux;
        module = self.nixosModules.netboot-server;
      };

      formatter = forEach (pkgs: pkgs.nixfmt-tree);
    };
}
