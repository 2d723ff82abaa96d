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
    mkPackageOption
    types
    ;

  cfg = config.services.netboot;
  inherit (cfg) settings;

  format = pkgs.formats.json { };

  # What is not set is left out: the server derives it, or has a default of its own.
  written =
    value:
    if builtins.isList value then
      map written value
    else if builtins.isAttrs value && !lib.isDerivation value then
      builtins.mapAttrs (_: written) (lib.filterAttrs (_: item: item != null) value)
    else
      value;

  # A state is passed on to the letter, with the nulls in it.
  machine =
    target:
    written (removeAttrs target [ "state" ])
    // lib.optionalAttrs (target.state != null) { inherit (target) state; };

  document = {
    version = "1.0";
    netboot = written (removeAttrs settings [ "targets" ]) // {
      targets = map machine settings.targets;
    };
  };

  # The certificate and the network cards are those of the host that runs it.
  configFile =
    let
      file = format.generate "netboot.json" document;
    in
    if cfg.checkConfig then
      pkgs.runCommand "netboot-checked.json" { } ''
        ${netboot} check --for-another-host --config ${file}
        cp ${file} $out
      ''
    else
      file;

  netboot = lib.getExe cfg.package;
  arguments = "--config /etc/netboot/netboot.json";

  generated = lib.filterAttrs (_: image: image.nix != null || image.flake != null) settings.images;

  # The repositories that flakes may be in, from their references: a flake's folder, or one above.
  repositories =
    let
      folder = reference: builtins.match "(git[+]file:(//)?)?(/[^?#]*[^?#/])[/]?([?#].*)?" reference;
      withParents =
        path: if path == "/" || path == "." then [ ] else [ path ] ++ withParents (dirOf path);
      ofImage =
        image:
        let
          found = if image.flake == null then null else folder image.flake;
        in
        if found == null then [ ] else withParents (builtins.elemAt found 2);
    in
    lib.unique (lib.concatMap ofImage (lib.attrValues settings.images));

  # Whoever owns the repository of a flake that is named here, git and Nix are to read it.
  gitConfig = pkgs.writeTextDir "git/config" (
    "[safe]\n"
    + lib.concatMapStringsSep "" (path: ''
      directory = "${path}"
      directory = "${path}/.git"
    '') repositories
  );

  interfaces = lib.unique (
    lib.filter (interface: interface != null) (
      map (network: network.interface) settings.networks ++ [ (settings.server.interface or null) ]
    )
  );
in
{
  meta.maintainers = [ ];

  options.services.netboot = {
    enable = mkEnableOption "the network boot service: DHCP, TFTP, iPXE scripts and HTTP";

    package = mkPackageOption pkgs "netboot-server" { };

    ipxe = mkPackageOption pkgs "ipxe" {
      nullable = true;
      extraDescription = ''
        Its `undionly.kpxe`, `ipxe.efi` and `snp.efi` are handed to firmware; with `null` they are
        put into `/var/lib/netboot/tftp` by hand.
      '';
    };

    settings = mkOption {
      type = types.submodule {
        freeformType = format.type;
        options = import ./settings.nix {
          inherit lib;
          json = format.type;
          programDirs = lib.optional (cfg.ipxe != null) "${cfg.ipxe}";
        };
      };
      default = { };
      example = literalExpression ''
        {
          networks = [
            {
              interface = "eth1";
              server = "10.0.0.1";
              subnet = "10.0.0.0/24";
              ranges = [ { start = "10.0.0.100"; end = "10.0.0.200"; } ];
            }
          ];
          images.workstation.nix = "/etc/nixos/netboot/workstation.nix";
          targets = [ { name = "node-01"; mac = "52:54:00:12:34:56"; config = "workstation"; } ];
        }
      '';
      description = ''
        What stands under `netboot` in the server's configuration, key by key. It stands in the Nix
        store, so it holds no secret.
      '';
    };

    checkConfig = mkOption {
      type = types.bool;
      default = pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform;
      defaultText = literalExpression "pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform";
      description = "Whether a configuration that `netboot check` refuses is not built.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether the interfaces of the networks let in DHCP, TFTP, PXE's boot server, HTTP and, where
        it is configured, HTTPS. Other interfaces stay as they are, also those that a relay asks by.
      '';
    };

    credentials = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = literalExpression ''
        {
          "tls.crt" = "/var/lib/acme/boot.example.org/fullchain.pem";
          "tls.key" = "/var/lib/acme/boot.example.org/key.pem";
        }
      '';
      description = ''
        Files with secrets, by name. systemd hands them to the service alone, and
        {option}`services.netboot.settings` names them as `/run/credentials/netboot.service/NAME`.
        They are read when the service starts: a certificate that was renewed needs a restart.
      '';
    };

    generate = {
      enable = mkEnableOption "building the images that name a NixOS configuration at a set time";

      onCalendar = mkOption {
        type = types.str;
        default = "03:00";
        description = "When, as in {manpage}`systemd.time(7)`.";
      };

      randomizedDelaySec = mkOption {
        type = types.str;
        default = "1h";
        description = ''
          By how much it is put off at random, so that several servers do not build at once.
        '';
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
        assertion = settings.networks != [ ] || settings ? server;
        message = "services.netboot.settings.networks: name at least one network";
      }
      {
        assertion = lib.all (
          network:
          network.ranges != [ ]
          || network.mode == "proxy"
          || lib.any (target: target.ip != null) settings.targets
        ) settings.networks;
        message = ''
          services.netboot.settings.networks: a network without ranges gives no machine an address;
          only a proxy, or targets with `ip`, can do without
        '';
      }
      {
        assertion = lib.all (image: image.nix == null || image.flake == null) (
          lib.attrValues settings.images
        );
        message = ''
          services.netboot.settings.images: an image is built from `nix` or from `flake`, not from both
        '';
      }
      {
        assertion = !cfg.generate.enable || generated != { };
        message = ''
          services.netboot.generate.enable: no image in services.netboot.settings.images names `nix`
          or `flake`
        '';
      }
    ];

    environment.systemPackages = [ cfg.package ];
    environment.etc."netboot/netboot.json".source = configFile;

    networking.firewall.interfaces = mkIf cfg.openFirewall (
      lib.genAttrs interfaces (_: {
        allowedUDPPorts = [
          settings.ports.dhcp
          settings.ports.tftp
          settings.ports.boot_server
        ];
        allowedTCPPorts = [
          settings.ports.http
        ]
        ++ lib.optional (settings.tls != null) settings.tls.port;
      })
    );

    users.users.netboot = {
      isSystemUser = true;
      group = "netboot";
      home = settings.state_dir;
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
          "${netboot} serve ${arguments}"
        ];
        ExecReload = [
          ""
          "${netboot} reload ${arguments}"
        ];
        LoadCredential = lib.mapAttrsToList (name: file: "${name}:${file}") cfg.credentials;
      };
    };

    systemd.services.netboot-generate = mkIf cfg.generate.enable {
      description = "Build the images that machines boot";
      after = [ "network-online.target" ];
      wants = [ "network-online.target" ];
      path = [
        config.nix.package
        pkgs.git
      ];
      environment = {
        # An empty one would take the place of what nix.conf says.
        NIX_PATH = mkIf (config.nix.nixPath != [ ]) (lib.concatStringsSep ":" config.nix.nixPath);
        XDG_CONFIG_HOME = mkIf (repositories != [ ]) gitConfig;
      };
      serviceConfig = {
        Type = "oneshot";
        User = "netboot";
        Group = "netboot";
        UMask = "0027";
        StateDirectory = "netboot";
        StateDirectoryMode = "0750";
        ExecStart = "${netboot} image generate --all --jobs ${toString cfg.generate.jobs} ${arguments}";
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
