//! `keyward audit`: who touched which key, when.

use clap::{Args, Subcommand};

use super::arguments::Limit;
use super::client::Request;
use super::context::Context;
use super::exit::Outcome;
use super::view::{self, Column, Kind};

/// What is asked of the audit log.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward audit list --limit 20
  keyward audit list --provider-key ID    everything that was done with one key")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List events, newest first
    List {
        /// Of one provider key, by its id
        #[arg(long, value_name = "ID")]
        provider_key: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
}

const COLUMNS: &[Column] = &[
    Column("time", "time", Kind::Text),
    Column("action", "action", Kind::Text),
    Column("outcome", "outcome", Kind::Status),
    Column("user", "user", Kind::Text),
    Column("organization", "organization", Kind::Text),
    Column("by", "peer", Kind::Text),
    Column("on", "resource_id", Kind::Text),
    Column("purpose", "purpose", Kind::Text),
    Column("reason", "reason", Kind::Text),
];

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    let Action::List {
        provider_key,
        limit,
    } = arguments.action;
    let request = Request::get(&["audit-events"]).query("provider_key", provider_key);
    let answer = context
        .client()?
        .list(&request, "audit_events", limit.limit)?;
    context.output.show(&answer, |answer| {
        view::list(answer, "audit_events", COLUMNS, "Nothing has happened yet.")
    })
}
