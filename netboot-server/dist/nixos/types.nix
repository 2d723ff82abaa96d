# The types of the module's options: what machines, images and the menu are.
{ lib }:

let
  inherit (lib) mkOption types;

  address = types.strMatching "[0-9]{1,3}(\\.[0-9]{1,3}){3}" // {
    description = "IPv4 address";
  };
  prefix = types.strMatching "[0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}" // {
    description = "IPv4 network, as 10.0.0.0/24";
  };
  macAddress = types.strMatching "[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}" // {
    description = "MAC address, as 52:54:00:12:34:56";
  };
  imageName = types.strMatching "[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?" // {
    description = "image name";
  };

  optional =
    type: description:
    mkOption {
      type = types.nullOr type;
      default = null;
      inherit description;
    };

  cmdline = optional types.str ''
    What is added to the kernel command line; it may hold `{mac}`, `{ip}`, `{name}` and the other
    placeholders of the configuration. `init=` is the image's own.
  '';

  range = types.submodule {
    options = {
      start = mkOption {
        type = address;
        description = "The first address that is given away.";
      };
      end = mkOption {
        type = address;
        description = "The last address that is given away.";
      };
    };
  };

  install = types.submodule {
    options = {
      image = mkOption {
        type = imageName;
        description = "The image that installs the machine and reports it.";
      };
      "then" = optional (types.enum [
        "local"
        "config"
      ]) "What it boots from then on: its disk, or its `config`.";
    };
  };

  # What a target and its group say of their machines alike.
  boot = {
    config = optional imageName "The image that is booted; the menu where there is none.";
    install = optional install "What installs the machine, once.";
    program = optional (types.either types.str (types.attrsOf types.str)) ''
      The boot program that firmware is given: `snponly.efi` say, or one for each platform, as
      `{ bios = "undionly.kpxe"; x64 = "snponly.efi"; }`.
    '';
    local = optional (types.enum [
      "sanboot"
      "exit"
    ]) "How the local disk is booted; by default as the platform is.";
    options = optional (types.attrsOf types.anything) "DHCP options by their name or number.";
    inherit cmdline;
  };

  group = types.submodule { options = boot; };

  target = types.submodule {
    options = boot // {
      name = mkOption {
        type = types.str;
        description = "The machine's name, which is also its host name.";
      };
      mac = optional macAddress "The MAC address that it boots with.";
      uuid = optional types.str "The UUID of its firmware, in the place of a MAC address or beside it.";
      ip = optional address "The address that is kept for its MAC address.";
      group = optional types.str "The group that it belongs to, of {option}`services.netboot.groups`.";
      state = optional (types.attrsOf types.anything) ''
        What is served as JSON to this machine alone, at `/states/NAME.json` and at
        `/states/MAC.json`. It stands in the Nix store, so it holds no secret.
      '';
    };
  };

  image = types.submodule {
    options = {
      label = optional types.str "What it is called in the menu.";
      inherit cmdline;
      nix = optional types.str ''
        The NixOS configuration that `netboot image generate` builds it from: a path as a string, so
        that a change of it needs no rebuild of this system.
      '';
      flake = optional types.str ''
        The flake reference that `netboot image generate` builds it from, `/etc/nixos#workstation` say.
      '';
    };
  };

  menuItem = types.submodule {
    options = {
      label = optional types.str "What stands in the menu.";
      image = optional imageName "The image that it boots.";
      chain = optional types.str "The URL that it goes on with.";
      local = optional types.bool "Whether it boots the local disk.";
      shell = optional types.bool "Whether it opens iPXE's shell.";
    };
  };

  menu = types.submodule {
    options = {
      title = optional types.str "The line over the menu.";
      default = optional types.str "What is chosen when nobody chooses: an image, `local` or `shell`.";
      timeout = optional types.ints.unsigned "Seconds until then; 0 waits for ever.";
      unknown = optional (types.enum [
        "menu"
        "local"
        "silent"
      ]) "What machines get that are no target.";
      items = optional (types.listOf menuItem) "The items in their order; all images where there is none.";
    };
  };
in
{
  inherit
    address
    group
    image
    menu
    optional
    prefix
    range
    target
    ;
}
