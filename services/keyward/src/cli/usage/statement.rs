//! `keyward usage statement`: what an account had, got, used and paid in a month.

use std::io;

use clap::Args;
use serde_json::{Value, json};

use super::Whose;
use crate::cli::client::{Request, rows};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::table::Table;
use crate::cli::view::{self, Column, Kind};

/// Which statement.
#[derive(Debug, Args)]
pub(super) struct Statement {
    #[command(flatten)]
    account: Whose,
    /// The month in UTC, such as 2026-11; the current one by default
    #[arg(long)]
    month: Option<String>,
    /// Print it as a page (HTML) for printing or mailing
    #[arg(long, conflicts_with = "json")]
    html: bool,
}

const LINES: &[Column] = &[
    Column("model", "model", Kind::Text),
    Column("provider", "provider", Kind::Text),
    Column("key", "source", Kind::Text),
    Column("requests", "requests", Kind::Number),
    Column("failed", "failed_attempts", Kind::Number),
    Column("input", "usage/input", Kind::Number),
    Column("output", "usage/output", Kind::Number),
    Column("list cost", "list_cost", Kind::Number),
    Column("charge", "charge", Kind::Number),
    Column("saved", "saved", Kind::Number),
];

pub(super) fn run(statement: &Statement, context: &Context) -> Outcome {
    let request = Request::get(&["usage", "statement"]);
    let request = statement.account.query(request);
    let request = request.query("month", statement.month.as_deref());
    if statement.html {
        let mut out = io::stdout().lock();
        context.client()?.copy(&request, "text/html", &mut out)?;
        return Ok(Exit::Done);
    }
    let answer = context.client()?.send(&request)?;
    context.output.show(&answer, credits)?;
    if context.output.is_json() {
        return Ok(Exit::Done);
    }
    context.output.text("\n")?;
    context.output.show(&answer, lines)?;
    let said = |member: &str| view::plain(member, &answer[member]);
    context.output.note(format_args!(
        "{}, {}; amounts in credits, months in UTC.",
        said("account"),
        said("month"),
    ));
    Ok(Exit::Done)
}

/// What moved the balance, in the order in which it adds up.
fn credits(answer: &Value) -> Table {
    const COLUMNS: &[Column] = &[
        Column("credits", "name", Kind::Text),
        Column("amount", "amount", Kind::Number),
    ];
    let line = |name: &str, member: &str| {
        let amount = view::plain(member, &answer["credits"][member]);
        json!({"name": name, "amount": amount})
    };
    let less = |name: &str, member: &str| {
        let amount = view::plain(member, &answer["credits"][member]);
        json!({"name": name, "amount": format!("-{amount}")})
    };
    let lines = [
        line("opening balance", "opening_balance"),
        line("grants", "grants"),
        line("refunds", "refunds"),
        less("charges", "charges"),
        less("expired", "expiries"),
        line("closing balance", "closing_balance"),
    ];
    view::table(&lines, COLUMNS, "")
}

fn lines(answer: &Value) -> Table {
    let mut all = rows(answer, "usage").to_vec();
    if !all.is_empty() {
        let mut total = answer["total"].clone();
        total["model"] = "total".into();
        all.push(total);
    }
    view::table(&all, LINES, "Nothing was used in this month.")
}
