//! iPXE boot scripts as data: model, menus, boot entries, and a renderer that cannot be injected.
