{
  description = "Network boot service: DHCP, TFTP, iPXE scripts and HTTP from one boot policy";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forEach = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
    in
    {
      packages = forEach (pkgs: {
        default = pkgs.callPackage ./netboot-server/dist/nixos/package.nix { };
      });

      nixosModules.netboot-server = ./netboot-server/dist/nixos/module.nix;
      nixosModules.default = self.nixosModules.netboot-server;

      # Not run where this repository is tested: nixpkgs is out of reach there.
      checks.x86_64-linux.vm = import ./netboot-server/dist/nixos/vm-test.nix {
        pkgs = nixpkgs.legacyPackages.x86_64-linux;
        module = self.nixosModules.netboot-server;
      };

      formatter = forEach (pkgs: pkgs.nixfmt-rfc-style);
    };
}
