# The module with the values of one set, and what else of a host is given, as JSON can show it.
# `package` is a folder in the Nix store's place with `bin/netboot`.
{
  package,
  set,
  host ? { },
}:

let
  system = import ./module_system.nix;
  inherit (system) lib;
  inherit (lib) types;

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
  text =
    name: content:
    runCommand name {
      text = content;
      passAsFile = [ "text" ];
    } ''mkdir -p "$(dirname "$out")" && cp "$textPath" $out'';

  # A package of Debian: its programs are below /usr/bin.
  ofDebian = name: {
    type = "derivation";
    inherit name;
    outPath = "/usr";
    meta.mainProgram = name;
  };

  pkgs = {
    inherit runCommand;
    coreutils = ofDebian "coreutils";
    git = ofDebian "git";
    nix = ofDebian "nix";
    ipxe = ofDebian "ipxe" // {
      outPath = "/usr/lib/ipxe";
    };
    netboot-server = {
      type = "derivation";
      name = "netboot-server";
      outPath = package;
      meta.mainProgram = "netboot";
    };
    writeTextDir =
      path: content:
      runCommand "text" {
        text = content;
        passAsFile = [ "text" ];
      } ''mkdir -p "$(dirname $out/${path})" && cp "$textPath" $out/${path}'';
    formats.json = _: {
      type =
        let
          json =
            types.nullOr (
              types.oneOf [
                types.bool
                types.int
                types.float
                types.str
                types.path
                (types.attrsOf json)
                (types.listOf json)
              ]
            )
            // {
              description = "a JSON value";
            };
        in
        json;
      generate = name: value: text name (builtins.toJSON value);
    };
    stdenv.buildPlatform.canExecute = _: true;
    stdenv.hostPlatform.system = builtins.currentSystem;
  };

  evaluated = system.evaluate {
    place = "config";
    modules = [
      ../../../dist/nixos/module.nix
      ./nixos.nix
      {
        services.netboot = set;
      }
      host
    ];
    arguments = { inherit pkgs; };
  };
in
{
  inherit (evaluated) config;
  undocumented = system.undocumented "services.netboot" evaluated.options.services.netboot;
}
