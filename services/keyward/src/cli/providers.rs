//! `keyward providers`: who can be called, and where to get a key.

use clap::{Args, Subcommand};

use super::client::Request;
use super::context::Context;
use super::exit::{Failure, Outcome};
use super::view::{self, Column, Kind};

/// What is asked about providers.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward providers list
  keyward providers get openrouter")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them: what a key looks like, where to get one, whether you have one
    List,
    /// Show one, with its models
    Get {
        /// Its name
        provider: String,
    },
}

const COLUMNS: &[Column] = &[
    Column("provider", "provider", Kind::Text),
    Column("name", "display_name", Kind::Text),
    Column("your key", "configured", Kind::Status),
    Column("works", "working", Kind::Text),
    Column("on credits", "on_credits", Kind::Text),
    Column("health", "health", Kind::Status),
    Column("breaker", "breaker", Kind::Text),
    Column("first byte ms", "latency_ms", Kind::Text),
    Column("key form", "key_form", Kind::Text),
    Column("where to get one", "key_url", Kind::Text),
];

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    let client = context.client()?;
    match arguments.action {
        Action::List => {
            let answer = client.list(&Request::get(&["providers"]), "providers", None)?;
            context.output.show(&answer, |answer| {
                view::list(answer, "providers", COLUMNS, "There are no providers.")
            })
        }
        Action::Get { provider } => {
            let answer = client.send(&Request::get(&["providers", &provider]));
            let hint = |failure: Failure| failure.hint("`keyward providers list` names them.");
            context.output.show(&answer.map_err(hint)?, view::resource)
        }
    }
}
