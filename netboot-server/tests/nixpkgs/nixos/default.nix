# Stands in for nixpkgs: the same attributes of a configuration, made of files that are at hand.
#
# A configuration is a module, evaluated with as much of the module system as there is beside this, whose kernel is that
# of Debian's installer; or, for what no module would do, a set: `hostName`, `kernel` and `initrd` (paths), and where it
# wants to `params` (the kernel's arguments), `init` (in the place of the system's) and `before` (shell commands that
# run before the kernel is there).
{
  configuration ? <nixos-config>,
  system ? builtins.currentSystem,
}:
let
  content = import configuration;

  host = import ../../it/nixos/images.nix { module = configuration; };
  failed = builtins.filter (one: !one.assertion) host.assertions;
  installer = "/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64";
  ofModule = {
    # The name that nixpkgs gives to a system without one.
    hostName = if host.networking.hostName == "" then "unnamed" else host.networking.hostName;
    kernel = "${installer}/linux";
    initrd = "${installer}/initrd.gz";
    params = toString host.boot.kernelParams;
  };

  machine = {
    params = "";
    init = "${toplevel}/init";
    before = "";
  }
  // (
    if !builtins.isFunction content then
      content
    else if failed == [ ] then
      ofModule
    else
      throw "Failed assertions:\n- ${(builtins.head failed).message}"
  );

  run =
    name: script:
    derivation {
      inherit name system;
      builder = "/bin/sh";
      args = [
        "-ec"
        ("PATH=/bin:/usr/bin\nmkdir $out\n" + script)
      ];
    };
  toplevel = run "nixos-system-${machine.hostName}-23.11" "echo > $out/init";
in
{
  config.system.build = {
    kernel = run "linux-6.1" (
      machine.before + (if machine ? kernel then "cp ${machine.kernel} $out/bzImage\n" else "")
    );
    netbootRamdisk = run "netboot-ramdisk" ''
      cp ${machine.initrd} $out/initrd
      ln -s initrd $out/initrd.zst
    '';
    netbootIpxeScript = run "netboot.ipxe" ''
      cat > $out/netboot.ipxe <<EOF
      #!ipxe
      # Use the cmdline variable to allow the user to specify custom kernel params
      kernel bzImage init=${machine.init} initrd=initrd ${machine.params} ''${cmdline}
      initrd initrd
      boot
      EOF
    '';
  };
}
