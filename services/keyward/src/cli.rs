//! The command line: what can be asked, and who answers. Each command has a file of its own.

mod access;
mod arguments;
mod ask;
mod audit;
mod budgets;
mod cache;
mod catalog;
mod certs;
mod client;
mod completions;
mod connection;
pub(crate) mod context;
mod credits;
pub(crate) mod exit;
mod health;
mod help;
mod keys;
mod notices;
mod orgs;
pub(crate) mod output;
mod prices;
mod projects;
mod providers;
mod routes;
mod start;
mod store;
pub(crate) mod table;
mod tenants;
mod tiers;
mod typed;
mod usage;
mod users;
mod vault;
mod view;
mod webhooks;

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, FromArgMatches as _, Parser, Subcommand};
use keyward_runtime::hardening::Hardening;

use crate::doctor;
use context::Context;
use exit::{Exit, Outcome};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "keyward",
    version,
    about = "A gateway for large language models where everybody brings their own keys."
)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What can be said with every command; `help` shows each only where it means something.
#[derive(Debug, Default, Args)]
struct Options {
    /// The settings file; `keyward.toml` here, if it exists, by default.
    #[arg(long, global = true, value_name = "FILE", display_order = 900)]
    config: Option<PathBuf>,
    /// Print JSON instead of a table.
    #[arg(long, global = true, display_order = 901)]
    json: bool,
    /// Where the gateway is; `KEYWARD_URL`, or http://127.0.0.1:8080, by default.
    #[arg(long, global = true, value_name = "URL", display_order = 902)]
    url: Option<String>,
    /// A file with your access key; `KEYWARD_ACCESS_KEY` or `KEYWARD_ACCESS_KEY_FILE` by default.
    #[arg(long, global = true, value_name = "FILE", display_order = 903)]
    access_key_file: Option<PathBuf>,
    /// The organisation to act in, if you are in several.
    #[arg(long, global = true, value_name = "ORGANIZATION", display_order = 904)]
    act_in: Option<String>,
}

/// The commands, in the groups that `help` shows them in.
#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway: all roles in this process, or only those named
    Serve(start::Serve),
    /// Create or upgrade the stores' schemas, then exit
    Migrate,
    /// Make certificates by which roles in several processes know each other
    Certs(certs::Arguments),
    /// Copy everything to a store of the other engine
    Store(store::Arguments),
    /// Bring provider keys: add, list, rotate, disable, delete, import from `.env`
    Keys(keys::Arguments),
    /// See which providers there are, and where to get a key
    Providers(providers::Arguments),
    /// See who would serve a model, and why
    Routes(routes::Arguments),
    /// Take stored answers away
    Cache(cache::Arguments),
    /// Issue and revoke access keys, by which callers are known
    Access(access::Arguments),
    /// Manage users
    Users(users::Arguments),
    /// Manage organisations and their members
    Orgs(orgs::Arguments),
    /// Manage projects
    Projects(projects::Arguments),
    /// See the balance; grant credits; read the ledger
    Credits(credits::Arguments),
    /// See and set budgets: what may be spent by the hour, day, week or month
    Budgets(budgets::Arguments),
    /// See what was used: sums, records, receipts
    Usage(usage::Arguments),
    /// See what your account should know of: a low balance, budgets used up
    Notices(notices::Arguments),
    /// Have notices sent to a server or by mail: add, list, test, remove
    Webhooks(webhooks::Arguments),
    /// See prices, and what something would cost
    Prices(prices::Arguments),
    /// See models and where their prices are from; take newer ones; go back
    Catalog(catalog::Arguments),
    /// See and change tiers: the markup on credits
    Tiers(tiers::Arguments),
    /// Ask whether a gateway is ready; needs no access key
    Health,
    /// See who touched which key, when
    Audit(audit::Arguments),
    /// Rotate the master keys, seal and unseal the vault
    Vault(vault::Arguments),
    /// Check settings, stores, keys, disk, peers and providers, and say what to mend
    Doctor(doctor::Arguments),
    /// Print a script that completes commands in your shell
    Completions(completions::Arguments),
}

impl Command {
    fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Serve(arguments) => start::serve(&arguments, context),
            Self::Migrate => start::migrate(context),
            Self::Certs(arguments) => certs::run(arguments, context),
            Self::Store(arguments) => store::run(&arguments, context),
            Self::Keys(arguments) => keys::run(arguments, context),
            Self::Providers(arguments) => providers::run(arguments, context),
            Self::Routes(arguments) => routes::run(arguments, context),
            Self::Cache(arguments) => cache::run(arguments, context),
            Self::Access(arguments) => access::run(arguments, context),
            Self::Users(arguments) => users::run(arguments, context),
            Self::Orgs(arguments) => orgs::run(arguments, context),
            Self::Projects(arguments) => projects::run(arguments, context),
            Self::Credits(arguments) => credits::run(arguments, context),
            Self::Budgets(arguments) => budgets::run(arguments, context),
            Self::Usage(arguments) => usage::run(arguments, context),
            Self::Notices(arguments) => notices::run(&arguments, context),
            Self::Webhooks(arguments) => webhooks::run(arguments, context),
            Self::Prices(arguments) => prices::run(arguments, context),
            Self::Catalog(arguments) => catalog::run(arguments, context),
            Self::Tiers(arguments) => tiers::run(arguments, context),
            Self::Health => health::run(context),
            Self::Audit(arguments) => audit::run(arguments, context),
            Self::Vault(arguments) => vault::run(arguments, context),
            Self::Doctor(arguments) => doctor::run(&arguments, context),
            Self::Completions(arguments) => completions::run(&arguments, context),
        }
    }
}

/// Does what the process was started for. It is hardened before anything is read: every command
/// might get a secret to see.
pub(crate) fn main() -> Exit {
    let hardening = Hardening::apply();
    let arguments = help::command()
        .try_get_matches()
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(error) => return misunderstood(&error),
    };
    let context = Context::new(arguments.options, hardening);
    let command = arguments.command;
    let command = command.unwrap_or(Command::Serve(start::Serve::default()));
    match command.run(&context) {
        Ok(exit) => exit,
        Err(failure) => failure.told(),
    }
}

/// Shows the help that was asked for, or says what is wrong with the arguments. The parser repeats
/// them, and people put keys where none belong.
fn misunderstood(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        // Nobody reads it: that is all the same now.
        let _ = error.print();
        return Exit::Done;
    }
    let text = typed::hide_keys(&error.render().to_string());
    let _ = write!(io::stderr().lock(), "{text}");
    Exit::Usage
}
