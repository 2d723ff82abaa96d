//! The `netboot` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    netboot_server::command::main()
}
