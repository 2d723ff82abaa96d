# What every image of this folder is: nixpkgs' smallest netboot image, reached by SSH with a key.
{
  config,
  lib,
  modulesPath,
  ...
}:

let
  cfg = config.netboot.image;
in
{
  imports = [ (modulesPath + "/installer/netboot/netboot-minimal.nix") ];

  options.netboot.image = {
    authorizedKeys = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default =
        if builtins.pathExists ./authorized_keys then
          builtins.filter (line: builtins.isString line && line != "") (
            builtins.split "\n" (builtins.readFile ./authorized_keys)
          )
        else
          [ ];
      description = "The SSH keys that root is let in with: the lines of `authorized_keys` beside this file. SSH lets nobody in by password.";
    };
    serialConsole = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = "ttyS0,115200";
      description = "The serial line that is a console beside the screen, for remote management.";
    };
    smallest = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Whether the image is made as small as zstd can, which takes minutes more to build.";
    };
  };

  config = {
    assertions = [
      {
        assertion = builtins.any (
          key: builtins.match "(ssh|ecdsa|sk)-[^ ]+ [^ ]+.*" key != null
        ) cfg.authorizedKeys;
        message = "netboot.image.authorizedKeys holds no SSH key: nobody could log in to a machine that boots this image; put a line of ~/.ssh/id_ed25519.pub into the file authorized_keys beside image.nix";
      }
    ];

    # The last console is the one that /dev/console is.
    boot.kernelParams =
      lib.optionals (cfg.serialConsole != null) [ "console=${cfg.serialConsole}" ]
      ++ [ "console=tty0" ];

    # The host name is what the boot server says by DHCP.
    networking.hostName = "";

    services.openssh = {
      enable = true;
      settings.PermitRootLogin = "prohibit-password";
      settings.PasswordAuthentication = false;
    };
    users.users.root.openssh.authorizedKeys.keys = cfg.authorizedKeys;

    netboot.squashfsCompression =
      if cfg.smallest then "zstd -Xcompression-level 19" else "zstd -Xcompression-level 3";
  };
}
