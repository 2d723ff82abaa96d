# The guide's server and its three machines, as options of the module.
{
  enable = true;

  settings = {
    networks = [
      {
        interface = "eth1";
        server = "10.0.0.1";
        subnet = "10.0.0.0/24";
        gateway = "10.0.0.1";
        dns = [
          "8.8.8.8"
          "8.8.4.4"
        ];
        lease_time = "12h";
        ranges = [
          {
            start = "10.0.0.100";
            end = "10.0.0.200";
          }
        ];
      }
    ];

    targets = [
      {
        name = "proxmox-node-01";
        mac = "52:54:00:12:34:56";
        ip = "10.0.0.101";
        config = "proxmox-host";
        state.plugins.lxc.parent = null;
      }
      {
        name = "proxmox-node-02";
        mac = "52:54:00:12:34:57";
        ip = "10.0.0.102";
        config = "proxmox-host";
      }
      {
        name = "worker-01";
        mac = "52:54:00:12:34:58";
        ip = "10.0.0.103";
        config = "workstation";
        group = "fleet";
      }
    ];

    groups.fleet = {
      install.image = "install-once";
      program.bios = "undionly.kpxe";
      options.ntp-server = [ "10.0.0.1" ];
    };

    images.proxmox-host = {
      label = "Proxmox host";
      nix = "/etc/nixos/netboot/proxmox-host.nix";
    };
    images.workstation.label = "Workstation";

    menu = {
      title = "NixOS network boot";
      default = "workstation";
      timeout = 10;
    };
  };

  generate.enable = true;
}
