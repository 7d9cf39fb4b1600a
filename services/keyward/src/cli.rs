//! The command line: what is asked, and in which words.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use keyward_runtime::settings::{Environment, Settings};
use keyward_runtime::telemetry;

use crate::roles::{Role, Roles};
use crate::{compose, configs, serve};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "keyward",
    version,
    about = "A gateway for large language models where everybody brings their own keys."
)]
pub(crate) struct Arguments {
    /// The settings file; `keyward.toml` here, if it exists, by default.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve: all roles in this process, or only those named.
    Serve(ServeArguments),
    /// Create or upgrade the stores' schemas, then exit.
    Migrate,
}

#[derive(Debug, Default, Args)]
struct ServeArguments {
    /// A role to run in this process; can be repeated. All of them where none is named.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
}

/// Does what was asked.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<()> {
    let environment = Environment::of_process(arguments.config);
    let settings = Settings::load(&environment)?;
    let command = arguments
        .command
        .unwrap_or(Command::Serve(ServeArguments::default()));
    let roles = match &command {
        Command::Serve(serve) => Roles::of(&serve.roles),
        Command::Migrate => Roles::of(&[Role::Vault, Role::Metering]),
    };
    configs::check(&settings, &roles)?;
    telemetry::start(&settings.log)?;
    for stranger in environment.strangers() {
        tracing::warn!(
            variable = stranger,
            "this variable is no setting of Keyward and is ignored: section and field are joined by \
             two underscores, as in KEYWARD_EDGE__LISTEN"
        );
    }
    // One provider of cryptography for all of TLS; it fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match command {
        Command::Serve(_) => runtime.block_on(serve::run(settings, roles)),
        Command::Migrate => runtime.block_on(compose::migrate(&settings, &roles)),
    }
}

/// Says on standard error what went wrong, with its causes.
#[allow(clippy::print_stderr, reason = "logging may not have started yet")]
pub(crate) fn complain(error: &anyhow::Error) {
    eprintln!("keyward: {error:#}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Arguments;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
