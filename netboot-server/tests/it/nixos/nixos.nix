# The options of NixOS that the module sets, with the types that they have there, and the units that
# NixOS would write.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkOption types;

  option =
    type: default:
    mkOption {
      inherit type default;
      description = "As in NixOS.";
    };
  required =
    type:
    mkOption {
      inherit type;
      description = "As in NixOS.";
    };

  ports = {
    allowedTCPPorts = option (types.listOf types.port) [ ];
    allowedUDPPorts = option (types.listOf types.port) [ ];
  };

  # Of the kinds of units, those that are named here.
  unitName = types.strMatching "[a-zA-Z0-9@%:_.\\-]+[.](service|socket|mount|target|path|timer)";
  atom = types.oneOf [
    types.bool
    types.int
    types.str
    types.path
  ];
  section = option (types.attrsOf (types.either atom (types.listOf atom))) { };

  unit = {
    description = option types.str "";
    documentation = option (types.listOf types.str) [ ];
    after = option (types.listOf unitName) [ ];
    wants = option (types.listOf unitName) [ ];
    wantedBy = option (types.listOf unitName) [ ];
    restartTriggers = option (types.listOf types.raw) [ ];
    reloadTriggers = option (types.listOf types.raw) [ ];
  };
  service = types.submodule {
    options = unit // {
      path = option (types.listOf (types.either types.package types.str)) [ ];
      environment = option (types.attrsOf (
        types.nullOr (
          types.oneOf [
            types.str
            types.path
            types.package
          ]
        )
      )) { };
      serviceConfig = section;
    };
  };
  timer = types.submodule {
    options = unit // {
      timerConfig = section;
    };
  };

  written =
    value:
    if value == true then
      "true"
    else if value == false then
      "false"
    else
      toString value;
  lines =
    set:
    lib.concatMapStringsSep "" (
      name:
      lib.concatMapStringsSep "" (item: "${name}=${written item}\n") (
        if builtins.isList set.${name} then set.${name} else [ set.${name} ]
      )
    ) (builtins.attrNames set);
  unitLines =
    unit:
    "[Unit]\n"
    + lines (
      lib.filterAttrs (_: value: value != "" && value != [ ]) {
        Description = unit.description;
        Documentation = toString unit.documentation;
        After = toString unit.after;
        Wants = toString unit.wants;
        X-Reload-Triggers = toString unit.reloadTriggers;
        X-Restart-Triggers = toString unit.restartTriggers;
      }
    );
  serviceText =
    service:
    let
      # NixOS puts coreutils, findutils, grep, sed and systemd behind what a service asks for.
      environment = {
        PATH = lib.makeBinPath (service.path ++ [ pkgs.coreutils ]);
      }
      // service.environment;
    in
    unitLines service
    + "[Service]\n"
    + lib.concatMapStringsSep "" (
      name: "Environment=${builtins.toJSON "${name}=${environment.${name}}"}\n"
    ) (builtins.attrNames environment)
    + lines service.serviceConfig;
  timerText = timer: unitLines timer + "[Timer]\n" + lines timer.timerConfig;
  named =
    ending: text: set:
    builtins.listToAttrs (
      lib.mapAttrsToList (name: unit: {
        name = "${name}.${ending}";
        value = text unit;
      }) set
    );
in
{
  options = {
    assertions = option (types.listOf types.raw) [ ];
    meta.maintainers = option (types.listOf types.raw) [ ];
    environment.systemPackages = option (types.listOf types.package) [ ];
    environment.etc = option (types.attrsOf (
      types.submodule {
        options.source = required types.path;
      }
    )) { };
    networking.firewall = ports // {
      interfaces = option (types.attrsOf (types.submodule { options = ports; })) { };
    };
    nix.package = option types.package pkgs.nix;
    nix.nixPath = option (types.listOf types.str) [ "nixpkgs=/nix/nixpkgs" ];
    users.users = option (types.attrsOf (
      types.submodule {
        options = {
          description = option types.str "";
          group = option types.str "";
          home = option types.path "/var/empty";
          isSystemUser = option types.bool false;
        };
      }
    )) { };
    users.groups = option (types.attrsOf (types.submodule { options = { }; })) { };
    systemd.packages = option (types.listOf types.package) [ ];
    systemd.services = option (types.attrsOf service) { };
    systemd.timers = option (types.attrsOf timer) { };
    # By file name: of a unit that one of the packages has, what is laid over it.
    units = option (types.attrsOf types.str) { };
  };

  config.units =
    named "service" serviceText config.systemd.services
    // named "timer" timerText config.systemd.timers;
}
