//! `keyward prices rerate`: what past usage would have cost by other prices. A report.

use clap::Args;
use serde_json::Value;

use super::versions::named_wrongly;
use crate::cli::arguments::Whose;
use crate::cli::client::{Request, rows};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::table::Table;
use crate::cli::view::{self, Column, Kind};

/// Which usage, and by what.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward prices rerate --from 2026-11-01 --to 2026-12-01 --version 2026110101
  keyward prices rerate --organization acme --tier professional
  keyward prices rerate --all --from 2026-11-20

A report: what was charged stays as it is. Days are in UTC. Requests with own keys cost nothing either way.")]
pub(super) struct Rerate {
    #[command(flatten)]
    account: Whose,
    /// Everybody's, for admins of the platform
    #[arg(long, conflicts_with_all = ["user", "organization", "account"])]
    all: bool,
    /// From this day or time on, such as 2026-11-01; this month by default
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Up to this day or time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The version of the prices; the one in force by default
    #[arg(long)]
    version: Option<u64>,
    /// With the markup of this tier; by default each request keeps its own
    #[arg(long)]
    tier: Option<String>,
}

impl Rerate {
    fn request(&self) -> Result<Request, Failure> {
        let account = match self.all {
            true => Some("-".to_owned()),
            false => self.account.name()?,
        };
        Ok(Request::get(&["usage", "rerating"])
            .query("account", account)
            .query("from", self.from.as_deref())
            .query("to", self.to.as_deref())
            .query("version", self.version.map(|version| version.to_string()))
            .query("tier", self.tier.as_deref()))
    }
}

const COLUMNS: &[Column] = &[
    Column("model", "model", Kind::Text),
    Column("provider", "provider", Kind::Text),
    Column("records", "records", Kind::Number),
    Column("list cost", "list_cost", Kind::Number),
    Column("charge", "charge", Kind::Number),
    Column("list cost then", "rerated_list_cost", Kind::Number),
    Column("charge then", "rerated_charge", Kind::Number),
    Column("difference", "difference", Kind::Number),
    Column("no price", "unrated_records", Kind::Number),
];

pub(super) fn run(rerate: &Rerate, context: &Context) -> Outcome {
    let answer = context.client()?.send(&rerate.request()?);
    let answer = answer.map_err(named_wrongly)?;
    context.output.show(&answer, table)?;
    let said = |member: &str| view::plain(member, &answer[member]);
    context.output.note(format_args!(
        "From {} to {}, by prices of version {}; amounts in credits. Nothing was changed.",
        said("from"),
        said("to"),
        said("price_version"),
    ));
    Ok(Exit::Done)
}

/// The models, and under them the sum of all.
fn table(answer: &Value) -> Table {
    let mut lines = rows(answer, "models").to_vec();
    if !lines.is_empty() {
        let mut total = answer["total"].clone();
        total["model"] = "total".into();
        lines.push(total);
    }
    view::table(&lines, COLUMNS, "Nothing was used in this time.")
}
