//! `keyward credits`: the balance, grants, the ledger.

use clap::{Args, Subcommand};
use keyward_runtime::ids;
use serde_json::Value;

use super::arguments::{DryRun, Limit, Whose};
use super::client::Request;
use super::context::Context;
use super::exit::{Failure, Outcome};
use super::view::{self, Column, Kind};

/// What is asked about credits; the balance where nothing is.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  keyward credits                                  your balance
  keyward credits --organization acme
  keyward credits grant 25 --user bob --note July
  keyward credits transactions --limit 20

Only requests served by the platform's keys are paid for in credits; your own keys cost nothing."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    account: Whose,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Give an account credits
    Grant(Grant),
    /// Show the ledger, newest first
    Transactions {
        #[command(flatten)]
        account: Whose,
        #[command(flatten)]
        limit: Limit,
    },
}

#[derive(Debug, Args)]
struct Grant {
    /// How much, such as 25 or 0.50
    amount: String,
    /// The user that gets it
    #[arg(long)]
    user: Option<String>,
    /// The organisation that gets it
    #[arg(long)]
    organization: Option<String>,
    /// What the ledger says about it
    #[arg(long)]
    note: Option<String>,
    /// A name for this grant: however often it is made, it counts once
    #[arg(long, value_name = "NAME")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    how: DryRun,
}

impl Grant {
    fn account(&self) -> Result<String, Failure> {
        match (&self.user, &self.organization) {
            (Some(user), None) => Ok(format!("users/{user}")),
            (None, Some(organization)) => Ok(format!("organizations/{organization}")),
            _ => Err(Failure::usage("who gets it?")
                .hint("Give one of `--user USER` and `--organization ORGANIZATION`.")),
        }
    }
}

const COLUMNS: &[Column] = &[
    Column("time", "time", Kind::Text),
    Column("kind", "kind", Kind::Text),
    Column("amount", "amount", Kind::Number),
    Column("request", "request_id", Kind::Text),
    Column("note", "note", Kind::Text),
];

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    match arguments.action {
        None => {
            let request = arguments.account.query(Request::get(&["credits"]));
            let answer = context.client()?.send(&request)?;
            context.output.show(&answer, view::resource)
        }
        Some(Action::Grant(new)) => grant(&new, context),
        Some(Action::Transactions { account, limit }) => {
            let request = account.query(Request::get(&["credits", "transactions"]));
            let answer = context
                .client()?
                .list(&request, "transactions", limit.limit)?;
            context.output.show(&answer, |answer| {
                view::list(answer, "transactions", COLUMNS, "Nothing has moved yet.")
            })
        }
    }
}

fn grant(new: &Grant, context: &Context) -> Outcome {
    let account = new.account()?;
    let name = new.idempotency_key.clone();
    let request = Request::post(&["credits", "grants"])
        .member("account", Some(account.as_str()))
        .member("amount", Some(new.amount.as_str()))
        .member("idempotency_key", Some(name.unwrap_or_else(ids::new_text)))
        .member("note", new.note.clone());
    context.show_change(
        &context.client()?,
        &request,
        new.how.dry_run,
        |_: &Value| format!("Next: `keyward credits --account {account}` shows the balance."),
    )
}
