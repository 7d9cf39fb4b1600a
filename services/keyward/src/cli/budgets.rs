//! `keyward budgets`: how much may be spent on what, in each period of the calendar.

use clap::{Args, Subcommand, ValueEnum};

use super::arguments::{DryRun, Removal, Whose};
use super::client::Request;
use super::context::Context;
use super::exit::{Failure, Outcome};
use super::view::{self, Column, Kind};

/// What is done with budgets.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward budgets add 5 --every day --time-zone Europe/Berlin
  keyward budgets add 100 --every month --organization acme --for-project web
  keyward budgets add 0.50 --every day --for-access-key ID
  keyward budgets set ID --amount 10

Budgets are in credits, so they count requests served by the platform's keys; your own keys cost
nothing. Your access key needs the scope `billing`.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them, with what is left
    List {
        #[command(flatten)]
        account: Whose,
    },
    /// Make one, which counts from now on
    Add(Add),
    /// Show one
    Get {
        /// Its id
        id: String,
    },
    /// Change one, for requests that begin from now on
    Set(Set),
    /// Remove one
    Remove {
        /// Its id
        id: String,
        #[command(flatten)]
        removal: Removal,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// How much may be spent in each period, such as 25 or 0.50
    amount: String,
    /// How long a period is, by the calendar; weeks begin on Monday
    #[arg(long, value_enum, value_name = "PERIOD")]
    every: Every,
    /// The time zone whose calendar counts, such as Asia/Tokyo; UTC by default
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Only tell once it is spent, and refuse nothing
    #[arg(long)]
    notify_only: bool,
    /// Count only requests of this user
    #[arg(long, value_name = "USER")]
    for_user: Option<String>,
    /// Count only requests in this project
    #[arg(long, value_name = "PROJECT")]
    for_project: Option<String>,
    /// Count only requests with this access key
    #[arg(long, value_name = "ID")]
    for_access_key: Option<String>,
    /// Count only requests for this model
    #[arg(long, value_name = "MODEL")]
    for_model: Option<String>,
    /// Count only requests with this tag
    #[arg(long, value_name = "NAME[=VALUE]")]
    for_tag: Option<String>,
    #[command(flatten)]
    account: Whose,
    #[command(flatten)]
    how: DryRun,
}

/// How long a period is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Every {
    Hour,
    Day,
    Week,
    Month,
}

impl Every {
    /// As the gateway names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

#[derive(Debug, Args)]
struct Set {
    /// Its id
    id: String,
    /// How much may be spent in each period
    #[arg(long)]
    amount: Option<String>,
    /// What it does once it is spent
    #[arg(long, value_enum, value_name = "ACTION")]
    action: Option<Deed>,
    #[command(flatten)]
    how: DryRun,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Deed {
    /// Refuse requests that may cost more than is left
    Block,
    /// Only tell
    Notify,
}

impl Deed {
    fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Notify => "notify",
        }
    }
}

impl Add {
    fn request(&self) -> Result<Request, Failure> {
        let request = Request::post(&["budgets"])
            .member("account", self.account.name()?)
            .member("amount", Some(self.amount.as_str()))
            .member("period", Some(self.every.name()))
            .member("time_zone", self.time_zone.clone())
            .member("action", self.notify_only.then_some("notify"))
            .member("user", self.for_user.clone())
            .member("project", self.for_project.clone())
            .member("access_key", self.for_access_key.clone())
            .member("model", self.for_model.clone())
            .member("tag", self.for_tag.clone());
        Ok(request)
    }
}

const COLUMNS: &[Column] = &[
    Column("id", "id", Kind::Text),
    Column("amount", "amount", Kind::Number),
    Column("period", "period", Kind::Text),
    Column("zone", "time_zone", Kind::Text),
    Column("action", "action", Kind::Text),
    Column("spent", "spent", Kind::Number),
    Column("left", "left", Kind::Number),
    Column("ends", "period_ends_at", Kind::Text),
    Column("user", "user", Kind::Text),
    Column("project", "project", Kind::Text),
    Column("access key", "access_key", Kind::Text),
    Column("model", "model", Kind::Text),
    Column("tag", "tag", Kind::Text),
];

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    let client = context.client()?;
    match arguments.action {
        Action::List { account } => {
            let request = account.query(Request::get(&["budgets"]));
            let answer = client.list(&request, "budgets", None)?;
            context.output.show(&answer, |answer| {
                view::list(answer, "budgets", COLUMNS, "There are no budgets.")
            })
        }
        Action::Add(new) => {
            let next = "Next: `keyward budgets list` shows what is left of it.".to_owned();
            context.show_change(&client, &new.request()?, new.how.dry_run, |_| next)
        }
        Action::Get { id } => {
            let answer = client.send(&Request::get(&["budgets", &id]))?;
            context.output.show(&answer, view::resource)
        }
        Action::Set(change) => {
            let request = Request::patch(&["budgets", &change.id])
                .member("amount", change.amount)
                .member("action", change.action.map(Deed::name));
            if request.is_empty() {
                let failure = Failure::usage("nothing was given to change");
                return Err(failure.hint("Give `--amount` or `--action`."));
            }
            let done = |_: &_| "Changed, for requests that begin from now on.".to_owned();
            context.show_change(&client, &request, change.how.dry_run, done)
        }
        Action::Remove { id, removal } => {
            let what = format!("This removes the budget {id}: nothing counts for it any more.");
            let request = Request::delete(&["budgets", &id]);
            context.remove(&client, &request, removal, &what, "Removed.")
        }
    }
}
