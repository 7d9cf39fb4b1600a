//! The one binary: all roles of the gateway, or any of them.

mod bootstrap;
mod cli;
mod compose;
mod configs;
mod ready;
mod roles;
mod serve;

use std::process::ExitCode;

use clap::Parser as _;
use keyward_runtime::settings::SettingsError;

/// The exit code for settings that were refused, apart from other faults, so that scripts can tell.
const EXIT_SETTINGS: u8 = 3;

fn main() -> ExitCode {
    match cli::run(cli::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(&error);
            let settings = error.downcast_ref::<SettingsError>().is_some();
            if settings {
                ExitCode::from(EXIT_SETTINGS)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
