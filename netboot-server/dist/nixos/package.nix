# The `netboot` command with its units, man page and completions.
{
  lib,
  rustPlatform,
  installShellFiles,
}:

rustPlatform.buildRustPackage {
  pname = "netboot";
  version = (lib.importTOML ../../../Cargo.toml).workspace.package.version;

  src = lib.cleanSource ../../..;
  cargoLock.lockFile = ../../../Cargo.lock;

  cargoBuildFlags = [
    "--package"
    "netboot-server"
  ];
  cargoTestFlags = [
    "--package"
    "netboot-server"
  ];

  nativeBuildInputs = [ installShellFiles ];

  postInstall = ''
    for link in netboot-generate netboot-update-menu netboot-status netboot-logs; do
      ln -s netboot $out/bin/$link
    done
    install -Dm644 -t $out/lib/systemd/system netboot-server/dist/systemd/*.service netboot-server/dist/systemd/*.socket
    $out/bin/netboot man --dir man
    installManPage man/*
    installShellCompletion --cmd netboot \
      --bash <($out/bin/netboot completions bash) \
      --zsh <($out/bin/netboot completions zsh) \
      --fish <($out/bin/netboot completions fish)
  '';

  meta = {
    description = "Network boot service: DHCP, TFTP, iPXE scripts and HTTP from one boot policy";
    license = with lib.licenses; [
      mit
      asl20
    ];
    mainProgram = "netboot";
    platforms = lib.platforms.linux;
  };
}
