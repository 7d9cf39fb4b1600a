//! `keyward notices`.

use clap::Args;

use super::arguments::{Limit, Whose};
use super::client::Request;
use super::context::Context;
use super::exit::Outcome;
use super::view::{self, Column, Kind};

/// Whose notices are shown.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward notices
  keyward notices --organization acme --limit 20

`keyward webhooks add` has them sent to you.")]
pub(super) struct Arguments {
    #[command(flatten)]
    account: Whose,
    #[command(flatten)]
    limit: Limit,
}

const COLUMNS: &[Column] = &[
    Column("time", "timestamp", Kind::Text),
    Column("about", "type", Kind::Text),
    Column("subject", "subject", Kind::Text),
    Column("message", "message", Kind::Text),
];

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let request = arguments.account.query(Request::get(&["notices"]));
    let answer = context
        .client()?
        .list(&request, "notices", arguments.limit.limit)?;
    context.output.show(&answer, |answer| {
        view::list(answer, "notices", COLUMNS, "There are no notices.")
    })
}
