//! `keyward usage sum`, and `keyward usage` alone.

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{Filter, Whose, csv};
use crate::cli::client::{Request, rows};
use crate::cli::context::Context;
use crate::cli::exit::Outcome;
use crate::cli::table::Table;
use crate::cli::view::{self, Column, Kind};

/// What is added up.
#[derive(Debug, Args)]
pub(super) struct Sum {
    /// By what, with commas between
    #[arg(
        long = "by",
        value_enum,
        value_delimiter = ',',
        default_value = "model"
    )]
    dimensions: Vec<Dimension>,
    #[command(flatten)]
    filter: Filter,
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dimension {
    Day,
    Hour,
    Model,
    Provider,
    Key,
    User,
    Project,
    Tag,
    Source,
}

impl Dimension {
    fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Key => "key",
            Self::User => "user",
            Self::Project => "project",
            Self::Tag => "tag",
            Self::Source => "source",
        }
    }
}

/// What is shown of each sum, after its dimensions.
const SUMS: [Column; 7] = [
    Column("requests", "requests", Kind::Number),
    Column("failed attempts", "failed_attempts", Kind::Number),
    Column("input", "usage/input", Kind::Number),
    Column("output", "usage/output", Kind::Number),
    Column("list cost", "list_cost", Kind::Number),
    Column("charge", "charge", Kind::Number),
    Column("saved", "saved", Kind::Number),
];

pub(super) fn this_month(account: Whose, context: &Context) -> Outcome {
    let filter = Filter {
        account,
        ..Filter::default()
    };
    run(
        &Sum {
            dimensions: vec![Dimension::Model],
            filter,
            csv: false,
        },
        context,
    )
}

pub(super) fn run(sum: &Sum, context: &Context) -> Outcome {
    let names: Vec<&str> = sum.dimensions.iter().map(|by| by.name()).collect();
    let request = Request::get(&["usage"]).query("group_by", Some(names.join(",")));
    let request = sum.filter.query(request);
    if sum.csv {
        return csv(&request, context);
    }
    let answer = context.client()?.list(&request, "usage", None)?;
    context
        .output
        .show(&answer, |answer| table(answer, &sum.dimensions))?;
    let time = |name: &str| view::plain(name, &answer[name]);
    let (from, to) = (time("from"), time("to"));
    context
        .output
        .note(format_args!("From {from} to {to}; amounts in credits."));
    Ok(crate::cli::exit::Exit::Done)
}

/// The sums, and under them the sum of all.
fn table(answer: &Value, dimensions: &[Dimension]) -> Table {
    let by = dimensions
        .iter()
        .map(|by| Column(by.name(), by.name(), Kind::Text));
    let columns: Vec<Column> = by.chain(SUMS).collect();
    let mut all = rows(answer, "usage").to_vec();
    if !all.is_empty() {
        let mut total = answer["total"].clone();
        if let Some(first) = dimensions.first() {
            total[first.name()] = "total".into();
        }
        all.push(total);
    }
    view::table(&all, &columns, "Nothing was used in this time.")
}
