# The module with the values of one set, as JSON can show it. `package` is a folder with `bin/netboot`.
{
  package,
  set,
}:

let
  system = import ./module_system.nix;

  # `PATH` is the host's: without nixpkgs there is nothing else to build with.
  runCommand =
    name: environment: script:
    derivation (
      environment
      // {
        inherit name;
        system = builtins.currentSystem;
        builder = "/bin/sh";
        args = [
          "-euc"
          script
        ];
        PATH = "/usr/bin:/bin";
      }
    );

  pkgs = {
    ipxe = "/usr/lib/ipxe";
    callPackage = path: _: throw "${toString path} needs nixpkgs";
    inherit runCommand;
    formats.json = _: {
      generate =
        name: value:
        runCommand name {
          text = builtins.toJSON value;
          passAsFile = [ "text" ];
        } ''cp "$textPath" $out'';
    };
    stdenv.buildPlatform.canExecute = _: true;
    stdenv.hostPlatform = { };
  };
in
system.evaluate {
  module = import ../../dist/nixos/module.nix;
  inherit pkgs;
  set = {
    inherit package;
  }
  // set;
  rest.nix = {
    package = "/usr";
    nixPath = [ "nixpkgs=/nix/nixpkgs" ];
  };
}
