# What the repository's flake puts out, with as little of nixpkgs as that asks for.
let
  callPackage =
    path: _:
    import path {
      lib = {
        importTOML = path: fromTOML (builtins.readFile path);
        cleanSource = path: path;
        licenses = {
          mit = "MIT";
          asl20 = "Apache-2.0";
        };
        platforms.linux = [ "x86_64-linux" ];
      };
      rustPlatform.buildRustPackage = package: package;
      installShellFiles = "installShellFiles";
    };
  pkgs = {
    inherit callPackage;
    nixfmt-rfc-style = "nixfmt";
    nixosTest = test: test;
  };
  outputs = (import ../../../flake.nix).outputs {
    self = outputs;
    nixpkgs = {
      lib.genAttrs =
        names: make:
        builtins.listToAttrs (
          map (name: {
            inherit name;
            value = make name;
          }) names
        );
      legacyPackages.x86_64-linux = pkgs;
      legacyPackages.aarch64-linux = pkgs;
    };
  };
  package = outputs.packages.x86_64-linux.default;
in
{
  inherit (package) version postInstall;
  lock = builtins.pathExists package.cargoLock.lockFile;
  systems = builtins.attrNames outputs.packages;
  module = builtins.isFunction (import outputs.nixosModules.netboot-server);
  test = outputs.checks.x86_64-linux.vm.name;
}
