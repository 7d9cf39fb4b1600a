//! `keyward routes explain`: who would serve a model, and why.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::{Request, rows};
use super::context::Context;
use super::exit::Outcome;
use super::table::{Align, Cell, Table, Tone};
use super::view;

/// What is asked about routing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward routes explain openai/gpt-4o
  keyward routes explain sandbox/echo --json

Nothing is sent to a provider, and nothing is charged.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say who would serve a model, in which order, and why
    Explain {
        /// The model, such as openai/gpt-4o
        model: String,
        /// The endpoint; the model's first by default
        #[arg(long)]
        endpoint: Option<String>,
    },
}

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    let Action::Explain { model, endpoint } = arguments.action;
    let request = Request::post(&["routes", "explain"])
        .member("model", Some(model))
        .member("endpoint", endpoint);
    let answer = context.client()?.send(&request)?;
    context.output.show(&answer, table)
}

fn table(answer: &Value) -> Table {
    let columns = ["turn", "provider", "model", "key", "key id", "reason"];
    let columns = columns.map(|name| (name, Align::Left));
    let mut table = Table::new(&columns, "Nothing can serve it.");
    for candidate in rows(answer, "candidates") {
        let is = |member: &str| candidate[member].as_bool() == Some(true);
        let mark = match (is("chosen"), is("eligible")) {
            (true, _) => Cell::new("serves", Tone::Good),
            (false, true) => "then".into(),
            (false, false) => Cell::new("no", Tone::Warning),
        };
        let said = |member: &str| Cell::from(view::plain(member, &candidate[member]));
        let rest = ["provider", "model", "key_source", "key_id", "reason"].map(said);
        table.row(std::iter::once(mark).chain(rest));
    }
    table
}
