# Stands in for nixpkgs: the same attributes of a configuration, made of files that are at hand.
#
# A configuration is a set: `hostName`, `kernel` and `initrd` (paths), and where it wants to `params` (the kernel's
# arguments), `init` (in the place of the system's) and `before` (shell commands that run before the kernel is there).
{ configuration ? <nixos-config>, system ? builtins.currentSystem }:
let
  machine = { params = ""; init = "${toplevel}/init"; before = ""; } // import configuration;
  run = name: script: derivation {
    inherit name system;
    builder = "/bin/sh";
    args = [ "-ec" ("PATH=/bin:/usr/bin\nmkdir $out\n" + script) ];
  };
  toplevel = run "nixos-system-${machine.hostName}-23.11" "echo > $out/init";
in
{
  config.system.build = {
    kernel = run "linux-6.1" (machine.before + (if machine ? kernel then ''
      cp ${machine.kernel} $out/bzImage
    '' else ""));
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
