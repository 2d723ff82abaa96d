# The NixOS module `services.netboot`: from options to the configuration that `netboot serve` reads,
# checked by `netboot check` while the system is built.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib)
    literalExpression
    mkEnableOption
    mkIf
    mkOption
    types
    ;

  cfg = config.services.netboot;

  stateDir = "/var/lib/netboot";

  inherit (import ./types.nix { inherit lib; })
    address
    group
    image
    menu
    optional
    prefix
    range
    target
    ;

  # What is not set is left out: the server derives it, or has a default of its own.
  written =
    value:
    if builtins.isList value then
      map written value
    else if builtins.isAttrs value then
      builtins.mapAttrs (_: written) (lib.filterAttrs (_: item: item != null) value)
    else
      value;

  network = {
    inherit (cfg)
      interface
      subnet
      gateway
      domain
      mode
      allow
      ;
    server = cfg.serverIp;
    ranges = map (range: { inherit (range) start end; }) cfg.ranges;
    dns = if cfg.dns == [ ] then null else cfg.dns;
    lease_time = cfg.leaseTime;
  };

  document = {
    version = "1.0";
    netboot = lib.recursiveUpdate (
      written {
        state_dir = stateDir;
        networks = [ network ];
        inherit (cfg) groups images menu;
        program_dirs = if cfg.ipxe == null then [ ] else [ "${cfg.ipxe}" ];
      }
      // {
        # A state is passed on to the letter, with the nulls in it.
        targets = map (
          target:
          written (target // { state = null; })
          // lib.filterAttrs (name: item: name == "state" && item != null) target
        ) cfg.targets;
      }
    ) cfg.settings;
  };

  configFile =
    let
      file = (pkgs.formats.json { }).generate "netboot.json" document;
    in
    if cfg.checkConfig then
      pkgs.runCommand "netboot-checked.json" { } ''
        ${cfg.package}/bin/netboot check --config ${file}
        cp ${file} $out
      ''
    else
      file;

  generated = lib.filterAttrs (_: image: image.nix != null || image.flake != null) cfg.images;

  netboot = "${cfg.package}/bin/netboot";
in
{
  options.services.netboot = {
    enable = mkEnableOption "the network boot service: DHCP, TFTP, iPXE scripts and HTTP";

    package = mkOption {
      type = types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = literalExpression "the package of this repository";
      description = "The package with the `netboot` command and its units.";
    };

    ipxe = mkOption {
      type = types.nullOr types.package;
      default = pkgs.ipxe;
      defaultText = literalExpression "pkgs.ipxe";
      description = ''
        The package whose `undionly.kpxe`, `ipxe.efi` and `snponly.efi` are handed to firmware; with
        `null` they are put into `${stateDir}/tftp` by hand.
      '';
    };

    interface = mkOption {
      type = types.str;
      example = "eth1";
      description = "The interface of the boot network.";
    };

    serverIp = mkOption {
      type = address;
      example = "10.0.0.1";
      description = "This server's address on the boot network.";
    };

    subnet = optional prefix ''
      The boot network; derived from the interface's address where it is not given, which cannot be
      checked while the system is built on another machine.
    '';

    ranges = mkOption {
      type = types.listOf range;
      default = [ ];
      example = literalExpression ''[ { start = "10.0.0.100"; end = "10.0.0.200"; } ]'';
      description = "The addresses that are given to machines.";
    };

    gateway = optional address "The machines' router; this server where it is not given.";

    dns = mkOption {
      type = types.listOf address;
      default = [ ];
      description = "The machines' name servers.";
    };

    domain = optional types.str "The machines' domain.";

    mode = optional (types.enum [
      "authoritative"
      "proxy"
    ]) "`proxy` beside another DHCP server: no addresses, only what to boot.";

    allow = optional (types.enum [
      "any"
      "known"
    ]) "Who is served: any machine, or only those of {option}`services.netboot.targets`.";

    leaseTime = optional (types.either types.ints.positive types.str) ''
      How long an address is lent: seconds, or as `"12h"`.
    '';

    targets = mkOption {
      type = types.listOf target;
      default = [ ];
      example = literalExpression ''
        [ { name = "node-01"; mac = "52:54:00:12:34:56"; ip = "10.0.0.101"; config = "workstation"; } ]
      '';
      description = "The machines that are known.";
    };

    groups = mkOption {
      type = types.attrsOf group;
      default = { };
      description = "What several machines share.";
    };

    images = mkOption {
      type = types.attrsOf image;
      default = { };
      example = literalExpression ''
        { workstation = { label = "Workstation"; nix = "/etc/nixos/netboot/workstation.nix"; }; }
      '';
      description = "What is said of images beside what is in the store.";
    };

    menu = mkOption {
      type = types.nullOr menu;
      default = null;
      description = "The menu.";
    };

    settings = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = literalExpression ''{ admin_listen = "127.0.0.1:9400"; }'';
      description = ''
        Everything else that may stand under `netboot` in the configuration, laid over what the other
        options say. A list takes the place of theirs.
      '';
    };

    checkConfig = mkOption {
      type = types.bool;
      default = pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform;
      defaultText = literalExpression "where the build machine can run the package";
      description = "Whether `netboot check` must accept the configuration before the system is built.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether the boot network's interface lets in UDP 67 (DHCP), 69 (TFTP) and 4011 (PXE boot
        server), and TCP 80 (HTTP). Other interfaces stay as they are.
      '';
    };

    credentials = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = literalExpression ''{ "tls.key" = "/run/secrets/netboot-tls.key"; }'';
      description = ''
        Files with secrets, by name. systemd hands them to the service alone, and {option}`settings`
        names them as `/run/credentials/netboot.service/NAME`.
      '';
    };

    generate = {
      enable = mkEnableOption "building the images that name a NixOS configuration anew at a set time";

      onCalendar = mkOption {
        type = types.str;
        default = "03:00";
        description = "When, as in {manpage}`systemd.time(7)`.";
      };

      randomizedDelaySec = mkOption {
        type = types.str;
        default = "1h";
        description = "By how much it is put off at random, so that several servers do not build at once.";
      };

      jobs = mkOption {
        type = types.ints.positive;
        default = 1;
        description = "How many images are built at once.";
      };
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.ranges != [ ] || cfg.mode == "proxy" || cfg.settings ? networks;
        message = "services.netboot.ranges: give at least one range of addresses, or networks in services.netboot.settings";
      }
      {
        assertion = lib.all (image: image.nix == null || image.flake == null) (lib.attrValues cfg.images);
        message = "services.netboot.images: an image is built from `nix` or from `flake`, not from both";
      }
      {
        assertion = !cfg.generate.enable || generated != { };
        message = "services.netboot.generate.enable: no image in services.netboot.images names `nix` or `flake`";
      }
    ];

    environment.systemPackages = [ cfg.package ];
    environment.etc."netboot/netboot.json".source = configFile;

    networking.firewall.interfaces = mkIf cfg.openFirewall {
      ${cfg.interface} = {
        allowedUDPPorts = [
          67
          69
          4011
        ];
        allowedTCPPorts = [ 80 ];
      };
    };

    users.users.netboot = {
      isSystemUser = true;
      group = "netboot";
      home = stateDir;
      description = "network boot service";
    };
    users.groups.netboot = { };

    # The unit and what it is forbidden are the package's; here stands only what differs.
    systemd.packages = [ cfg.package ];
    systemd.services.netboot = {
      wantedBy = [ "multi-user.target" ];
      reloadTriggers = [ configFile ];
      serviceConfig = {
        ExecStart = [
          ""
          "${netboot} serve --config /etc/netboot/netboot.json"
        ];
        LoadCredential = lib.mapAttrsToList (name: file: "${name}:${file}") cfg.credentials;
      };
    };

    systemd.services.netboot-generate = mkIf cfg.generate.enable {
      description = "Build the images that machines boot";
      after = [ "network-online.target" ];
      wants = [ "network-online.target" ];
      path = [ config.nix.package ];
      environment.NIX_PATH = lib.concatStringsSep ":" config.nix.nixPath;
      serviceConfig = {
        Type = "oneshot";
        User = "netboot";
        Group = "netboot";
        StateDirectory = "netboot";
        ExecStart = "${netboot} image generate --all --jobs ${toString cfg.generate.jobs} --config /etc/netboot/netboot.json";
        Nice = 10;
        IOSchedulingClass = "idle";
        ProtectSystem = "strict";
        ProtectHome = true;
        PrivateTmp = true;
        NoNewPrivileges = true;
      };
    };

    systemd.timers.netboot-generate = mkIf cfg.generate.enable {
      wantedBy = [ "timers.target" ];
      timerConfig = {
        OnCalendar = cfg.generate.onCalendar;
        RandomizedDelaySec = cfg.generate.randomizedDelaySec;
        Persistent = true;
      };
    };
  };
}
