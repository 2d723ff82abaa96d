# A unit that brings this machine's state from the boot server to operation-dbus before that starts.
#
# The server says where it is and what it must be. In its configuration, for this image:
#   cmdline = "netboot.state=http://{server}/states/{mac-dash}.json netboot.state-digest={state-digest}"
{ pkgs, ... }:

{
  systemd.services.fetch-state = {
    description = "This machine's state from the boot server";
    wantedBy = [ "multi-user.target" ];
    before = [ "operation-dbus.service" ];
    requiredBy = [ "operation-dbus.service" ];
    wants = [ "network-online.target" ];
    after = [ "network-online.target" ];
    path = [
      pkgs.coreutils
      pkgs.curl
      pkgs.gnused
    ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      ExecStart = "${pkgs.bash}/bin/bash ${./fetch-state.sh}";
      ConfigurationDirectory = "operation-dbus";
      ProtectSystem = "strict";
      ReadWritePaths = [ "/etc/operation-dbus" ];
      PrivateTmp = true;
      NoNewPrivileges = true;
    };
  };
}
