# The keys of the server's configuration as options: what networks, machines, images and the menu
# are. A key that a later server knows may be written, too; `netboot check` has the last word.
{
  lib,
  json,
  programDirs,
}:

let
  inherit (lib) mkOption types;

  table =
    options:
    types.submodule {
      freeformType = json;
      inherit options;
    };

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
  # A path of Nix would be copied into the store, where every user reads it.
  file = types.strMatching "/.+" // {
    description = "absolute path, as a string";
  };
  commandLine = types.either types.str (types.listOf types.str);
  program = types.either types.str (types.attrsOf types.str);

  required =
    type: description:
    mkOption {
      inherit type description;
    };
  optional =
    type: description:
    mkOption {
      type = types.nullOr type;
      default = null;
      inherit description;
    };
  several =
    type: description:
    mkOption {
      type = types.listOf type;
      default = [ ];
      inherit description;
    };
  port =
    number: description:
    mkOption {
      type = types.port;
      default = number;
      inherit description;
    };

  cmdline = optional commandLine ''
    What is added to the kernel command line; it may hold `{mac}`, `{ip}`, `{name}` and the other
    placeholders of the configuration. `init=` is the image's own.
  '';
  dhcpOptions = optional (types.attrsOf json) "DHCP options by their name or number.";
  bootProgram = optional program ''
    The boot program that firmware is given: `snp.efi` say, or one for each platform, as
    `{ bios = "undionly.kpxe"; x64 = "snp.efi"; }`.
  '';

  range = table {
    start = required address "The first address that is given away.";
    end = required address "The last address that is given away.";
  };

  network = table {
    name = optional types.str "What it is called; by default as its interface.";
    interface = optional types.str ''
      The interface that the machines are on; `null` where a DHCP relay stands between.
    '';
    server = required address "This server's address on the network.";
    subnet = optional prefix ''
      The network's addresses; derived from the interface's address where it is not given, which
      cannot be checked while the system is built on another machine.
    '';
    ranges = several range "The addresses that are given to machines.";
    exclude = several address "Addresses in the ranges that are given to nobody.";
    gateway = optional address "The machines' router; this server where it is not given.";
    dns = several address "The machines' name servers.";
    domain = optional types.str "The machines' domain.";
    lease_time = optional (types.either types.ints.positive types.str) ''
      How long an address is lent: seconds, or as `"12h"`.
    '';
    allow = optional (types.enum [
      "any"
      "known"
    ]) "Who is served: any machine, or only those of {option}`services.netboot.settings.targets`.";
    mode = optional (types.enum [
      "authoritative"
      "proxy"
    ]) "`proxy` beside another DHCP server: no addresses, only what to boot.";
    authoritative = optional types.bool ''
      Whether no other server gives addresses there, so that a machine is refused what this server
      has no record of. `mode = "authoritative"` says so, too.
    '';
    relays = optional (types.listOf types.str) ''
      The relay agents that are believed: in the circuit that they say a machine is on, and where they
      bring machines to a network that has an interface. Where it has none, its gateway is one unless
      it is said here.
    '';
    trust_option_82 = optional types.bool ''
      Whether a circuit is believed that no relay agent brings but a switch that snoops.
    '';
    probe = optional types.bool "Whether an address is pinged before a newcomer is offered it.";
    reply_delay = optional (types.either types.ints.unsigned types.str) ''
      How long an offer to firmware is held back, for boot ROMs that are deaf right after they
      asked: milliseconds, or as `"1s"`.
    '';
    identify = optional (types.enum [
      "lease"
      "neighbour"
    ]) "By what a machine is known that asks for its state, or reports that it is installed.";
    program = bootProgram;
    options = dhcpOptions;
  };

  install = table {
    image = required imageName "The image that installs the machine and reports it.";
    "then" = optional (types.enum [
      "local"
      "config"
    ]) "What it boots from then on: its disk, or its `config`.";
  };

  # What a target and its group say of their machines alike.
  boot = {
    config = optional imageName "The image that is booted; the menu where there is none.";
    install = optional install "What installs the machine, once.";
    program = bootProgram;
    local = optional (types.enum [
      "sanboot"
      "exit"
    ]) "How the local disk is booted; by default as the platform is.";
    options = dhcpOptions;
    inherit cmdline;
  };

  group = table boot;

  target = table (
    boot
    // {
      name = required types.str "The machine's name, which is also its host name.";
      mac = optional macAddress "The MAC address that it boots with.";
      uuid = optional types.str "The UUID of its firmware, in place of a MAC address or beside it.";
      secrets = optional (types.enum [
        "proven"
        "claimable"
      ]) "Who gets its state and install token: its `mac`'s lease, or whoever says its `uuid`.";
      circuit = optional types.str ''
        The circuit of the relay agent's option 82 that it is on: a text, or its bytes as `0x…`.
      '';
      ip = optional address "The address that is kept for its MAC address.";
      group = optional types.str ''
        The group that it belongs to, of {option}`services.netboot.settings.groups`.
      '';
      state = optional (types.attrsOf json) ''
        What is served as JSON to this machine alone, at `/states/NAME.json` and at
        `/states/MAC.json`. It stands in the Nix store, so it holds no secret.
      '';
    }
  );

  image = table {
    label = optional types.str "What it is called in the menu.";
    menu = optional types.bool "Whether the menu shows it, where the menu has no items of its own.";
    inherit cmdline;
    nix = optional types.str ''
      The NixOS configuration that `netboot image generate` builds it from: a path as a string, so
      that a change of it needs no rebuild of this system. The unit that generates sees no home
      folders.
    '';
    flake = optional types.str ''
      The flake reference that `netboot image generate` builds it from, with the attribute of the
      configuration: `/etc/nixos#nixosConfigurations.workstation` say. A git repository may be
      another user's; the unit that generates sees no home folders.
    '';
  };

  menuItem = table {
    label = optional types.str "What stands in the menu.";
    image = optional imageName "The image that it boots.";
    chain = optional types.str "The URL that it goes on with.";
    local = optional types.bool "Whether it boots the local disk.";
    shell = optional types.bool "Whether it opens iPXE's shell.";
  };

  menu = table {
    title = optional types.str "The line over the menu.";
    default = optional types.str ''
      What is booted when nobody chooses: an image, `local` (the local disk, by default) or `shell`.
    '';
    timeout = optional (types.either types.ints.unsigned types.str) ''
      Seconds until then, or a text such as `1m`; 0 waits for ever.
    '';
    unknown = optional (types.enum [
      "menu"
      "local"
      "silent"
    ]) "What machines get that are no target.";
    items = optional (types.listOf menuItem) "The items in their order; by default all images.";
  };

  tls = table {
    cert = required file ''
      The certificate in PEM, before those that it hangs on. It is read anew by each reload, so the
      service's user has to be able to read it; {option}`services.netboot.credentials` is one way.
    '';
    key = required file "The certificate's key in PEM, which nobody but the service may read.";
    port = port 443 "The port of HTTPS.";
  };

  tftp = table {
    max_transfers = optional types.ints.positive "Most transfers at one time by each address of this server.";
    max_transfers_per_client = optional types.ints.positive ''
      Most transfers at one time of one client address; all machines behind address translation
      have one.
    '';
    max_blksize = optional (types.ints.between 8 65464) "The largest block that is agreed to, in bytes.";
    max_windowsize = optional types.ints.positive "The largest window that is agreed to, in blocks.";
    single_port = optional types.bool "Whether transfers go by TFTP's own port alone.";
  };

  ports = table {
    dhcp = port 67 "The port of DHCP.";
    dhcp_client = port 68 "The port that DHCP's clients listen on.";
    boot_server = port 4011 "The port of PXE's boot server.";
    tftp = port 69 "The port of TFTP.";
    http = port 80 "The port of HTTP.";
  };

  netboot = {
    state_dir = mkOption {
      type = types.str;
      default = "/var/lib/netboot";
      readOnly = true;
      description = "The folder of images, boot programs and leases, which systemd makes.";
    };
    program_dirs = mkOption {
      type = types.listOf types.path;
      default = programDirs;
      defaultText = lib.literalExpression "[ config.services.netboot.ipxe ]";
      description = ''
        The folders that boot programs are taken from which are not in `tftp/` of the state folder.
      '';
    };
    networks = several network "The networks that are served, one on each interface.";
    targets = several target "The machines that are known.";
    groups = mkOption {
      type = types.attrsOf group;
      default = { };
      description = "What several machines share.";
    };
    images = mkOption {
      type = types.attrsOf image;
      default = { };
      description = "What is said of images beside what is in the store.";
    };
    menu = optional menu "The menu.";
    admin_listen = optional types.str ''
      Where the API and metrics are served: an address and port, by default `127.0.0.1:9069`, or
      `off`.
    '';
    admin_names = optional (types.listOf types.str) "Names that the API is asked by beside the host's own.";
    tls = optional tls "HTTPS beside HTTP; DHCP goes on to name HTTP.";
    tftp = optional tftp "What TFTP allows.";
    ports = mkOption {
      type = ports;
      default = { };
      description = "The ports of the protocols.";
    };
  };
in
netboot
