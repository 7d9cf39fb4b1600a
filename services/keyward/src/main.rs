//! The one binary: all roles of the gateway, or any of them, and the command line to manage it.

mod bootstrap;
mod catalog;
mod certificates;
mod cli;
mod compose;
mod configs;
mod doctor;
mod ready;
mod roles;
mod serve;
mod tls;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main().into()
}
