//! `keyward usage`: sums, records, receipts, statements.

mod keys;
mod receipt;
mod spool;
mod statement;
mod sums;
mod verify;

use std::io;

use clap::{Args, Subcommand};

use super::arguments::{Limit, Whose};
use super::client::Request;
use super::context::Context;
use super::exit::{Exit, Failure, Outcome};
use super::view::{self, Column, Kind};

/// What is asked about usage; this month's sums where nothing is.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  keyward usage                                        this month, by model; `sum` has `--by` and times
  keyward usage sum --by day,model --from 2026-11-01
  keyward usage sum --by user --organization acme
  keyward usage records --limit 20
  keyward usage records --csv --from 2026-11-01 > november.csv
  keyward usage receipt REQUEST_ID                     the id is in an answer's x-request-id
  keyward usage keys                                   each key: requests, cost, when last used
  keyward usage savings                                own keys against credits
  keyward usage statement --month 2026-11
  keyward usage statement --month 2026-11 --html > november.html
  keyward usage spool                                  what metering has not been told yet
  keyward usage verify                                 exit 0: the books add up; 1: they do not, says where;
                                                       2: could not check"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    account: Whose,
    /// Known in order to say where it belongs.
    #[arg(long, hide = true)]
    by: Option<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add up, by day, model, key, …
    Sum(Box<sums::Sum>),
    /// One row for each attempt, newest first
    Records(Box<Records>),
    /// What one request cost, and why
    Receipt {
        /// The request's id, from an answer's `x-request-id`
        request_id: String,
    },
    /// How each provider key fared, and when it was last used
    Keys(Box<Filter>),
    /// What own keys saved against credits
    Savings(Box<Filter>),
    /// What an account had, got, used and paid in a month
    Statement(statement::Statement),
    /// Prove that the books add up: reads metering's store itself, no gateway needed
    Verify,
    /// See what the router of this machine has not told metering yet; tell it what another left
    Spool(spool::Arguments),
}

/// Which usage.
#[derive(Debug, Default, Args)]
struct Filter {
    #[command(flatten)]
    account: Whose,
    /// From this day or time on, such as 2026-11-01; this month by default
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Up to this day or time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Of one model
    #[arg(long)]
    model: Option<String>,
    /// Of one provider
    #[arg(long)]
    provider: Option<String>,
    /// By whose key: inline, user, project, organization, system
    #[arg(long)]
    source: Option<String>,
    /// Of one provider key, by its id
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// Of one project
    #[arg(long)]
    project: Option<String>,
    /// Of one tag
    #[arg(long)]
    tag: Option<String>,
}

impl Filter {
    fn query(&self, request: Request) -> Request {
        self.account
            .query(request)
            .query("from", self.from.as_deref())
            .query("to", self.to.as_deref())
            .query("model", self.model.as_deref())
            .query("provider", self.provider.as_deref())
            .query("source", self.source.as_deref())
            .query("key", self.key.as_deref())
            .query("project", self.project.as_deref())
            .query("tag", self.tag.as_deref())
    }
}

#[derive(Debug, Args)]
struct Records {
    #[command(flatten)]
    filter: Filter,
    /// Print all of them as CSV
    #[arg(long, conflicts_with_all = ["json", "limit"])]
    csv: bool,
    #[command(flatten)]
    limit: Limit,
}

const COLUMNS: &[Column] = &[
    Column("time", "time", Kind::Text),
    Column("request", "request_id", Kind::Text),
    Column("try", "attempt", Kind::Number),
    Column("model", "model", Kind::Text),
    Column("provider", "provider", Kind::Text),
    Column("key", "key_source", Kind::Text),
    Column("status", "status", Kind::Status),
    Column("input", "usage/input", Kind::Number),
    Column("output", "usage/output", Kind::Number),
    Column("figures", "usage_source", Kind::Text),
    Column("list cost", "list_cost", Kind::Number),
    Column("charge", "charge", Kind::Number),
];

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    match arguments.action {
        None if arguments.by.is_some() => {
            Err(Failure::usage("`--by` belongs to `keyward usage sum`")
                .hint("Such as `keyward usage sum --by day,model --from 2026-11-01`."))
        }
        None => sums::this_month(arguments.account, context),
        Some(Action::Sum(sum)) => sums::run(&sum, context),
        Some(Action::Records(records)) => run_records(&records, context),
        Some(Action::Receipt { request_id }) => receipt::run(&request_id, context),
        Some(Action::Keys(filter)) => keys::keys(&filter, context),
        Some(Action::Savings(filter)) => keys::savings(&filter, context),
        Some(Action::Statement(statement)) => statement::run(&statement, context),
        Some(Action::Verify) => verify::verify(context),
        Some(Action::Spool(arguments)) => spool::run(arguments, context),
    }
}

fn run_records(records: &Records, context: &Context) -> Outcome {
    let request = records.filter.query(Request::get(&["usage", "records"]));
    if records.csv {
        return csv(&request, context);
    }
    let answer = context
        .client()?
        .list(&request, "records", records.limit.limit)?;
    context.output.show(&answer, |answer| {
        view::list(answer, "records", COLUMNS, "Nothing was used in this time.")
    })
}

fn csv(request: &Request, context: &Context) -> Outcome {
    context
        .client()?
        .copy(request, "text/csv", &mut io::stdout().lock())?;
    Ok(Exit::Done)
}
