# The `netboot` command with its units, manual pages and completions.
{
  lib,
  stdenv,
  rustPlatform,
  installShellFiles,
}:

rustPlatform.buildRustPackage {
  pname = "netboot-server";
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

  strictDeps = true;
  nativeBuildInputs = [ installShellFiles ];

  postInstall = ''
    for link in netboot-generate netboot-update-menu netboot-status netboot-logs; do
      ln -s netboot $out/bin/$link
    done
    units=netboot-server/dist/systemd
    install -Dm644 -t $out/lib/systemd/system $units/*.service $units/*.socket
    substituteInPlace $out/lib/systemd/system/netboot.service \
      --replace-fail '=netboot ' "=$out/bin/netboot "
  ''
  + lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
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
    maintainers = [ ];
    mainProgram = "netboot";
    platforms = lib.platforms.linux;
  };
}
