//! `keyward audit`: who touched which key, when; and the proof that the log of it is whole.

mod offline;
mod uses;

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
  keyward audit list --provider-key ID    everything that was done with one key
  keyward audit list --action provider_key.unseal --outcome refused --from 2026-11-01T00:00:00Z
  keyward audit verify                    exit 0: whole; 1: broken, says where; 2: could not check
  keyward audit verify --usage            and every use of a key lies within a lease in the log
  keyward audit export > audit.jsonl      a line for each event, with its place in the chain")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List events, newest first
    List(Box<Which>),
    /// Prove that the log is whole: reads the stores themselves, no gateway needed
    Verify(offline::Verify),
    /// Print all events that have a place in the chain, oldest first, as JSON lines
    Export(offline::Export),
}

/// Which events.
#[derive(Debug, Args)]
struct Which {
    /// Of one provider key, by its id
    #[arg(long, value_name = "ID")]
    provider_key: Option<String>,
    /// About this, whatever it is, by its id
    #[arg(long, value_name = "ID")]
    resource: Option<String>,
    /// In the name of a user
    #[arg(long)]
    user: Option<String>,
    /// In the name of an organisation
    #[arg(long)]
    organization: Option<String>,
    /// In the name of an access key, by its id
    #[arg(long, value_name = "ID")]
    access_key: Option<String>,
    /// Of an action, such as provider_key.unseal
    #[arg(long)]
    action: Option<String>,
    /// With an outcome: ok, refused, failed
    #[arg(long)]
    outcome: Option<String>,
    /// In a trace, by its id
    #[arg(long, value_name = "ID")]
    trace: Option<String>,
    /// For a request to a model, by its id
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// At this time or later, such as 2026-11-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    #[command(flatten)]
    limit: Limit,
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
    match arguments.action {
        Action::List(which) => list(*which, context),
        Action::Verify(verify) => offline::verify(&verify, context),
        Action::Export(export) => offline::export(&export, context),
    }
}

fn list(which: Which, context: &Context) -> Outcome {
    let request = Request::get(&["audit-events"])
        .query("provider_key", which.provider_key)
        .query("resource", which.resource)
        .query("user", which.user)
        .query("organization", which.organization)
        .query("access_key", which.access_key)
        .query("action", which.action)
        .query("outcome", which.outcome)
        .query("trace", which.trace)
        .query("request", which.request)
        .query("from", which.from)
        .query("to", which.to);
    let limit = which.limit.limit;
    let answer = context.client()?.list(&request, "audit_events", limit)?;
    context.output.show(&answer, |answer| {
        view::list(answer, "audit_events", COLUMNS, "Nothing has happened yet.")
    })
}
