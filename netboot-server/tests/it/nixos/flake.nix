# What the repository's flake puts out, with as little of nixpkgs as that asks for. `canExecute`
# says whether the machine that builds can run what it builds.
{
  canExecute ? true,
}:

let
  system = import ./module_system.nix;

  lib = system.lib // {
    importTOML = path: fromTOML (builtins.readFile path);
    cleanSource = path: path;
    licenses = {
      mit = "MIT";
      asl20 = "Apache-2.0";
    };
    platforms.linux = [ "x86_64-linux" ];
  };

  stdenv = {
    buildPlatform.canExecute = _: canExecute;
    hostPlatform.system = "x86_64-linux";
  };

  # Gives a function what it asks for, and nothing that is not there.
  callPackage =
    path: _:
    let
      make = import path;
    in
    make (builtins.intersectAttrs (builtins.functionArgs make) pkgs);
  pkgs = {
    inherit callPackage lib stdenv;
    rustPlatform.buildRustPackage =
      package:
      package
      // {
        type = "derivation";
        outPath = "/built/${package.pname}";
      };
    installShellFiles = "installShellFiles";
    nixfmt-tree = "nixfmt";
    testers.runNixOSTest = test: test;
    path = ./.;
    ipxe = throw "the module needs no iPXE here";
    formats.json = _: { type = lib.types.raw; };
  };

  outputs = (import ../../../../flake.nix).outputs {
    self = outputs;
    nixpkgs = {
      inherit lib;
      legacyPackages.x86_64-linux = pkgs;
      legacyPackages.aarch64-linux = pkgs;
    };
  };
  package = outputs.packages.x86_64-linux.default;

  host = system.evaluate {
    place = "config";
    free = lib.types.undeclared;
    modules = [ outputs.nixosModules.default ];
    arguments = { inherit pkgs; };
  };
  test = outputs.checks.x86_64-linux.vm;
in
{
  inherit (package) version postInstall meta;
  lock = builtins.pathExists package.cargoLock.lockFile;
  systems = builtins.attrNames outputs.packages;
  module = host.config.services.netboot.package;
  test = test.name;
  machines = builtins.attrNames test.nodes;
}
