//! `keyward usage receipt`.

use serde_json::Value;

use crate::cli::client::{Request, rows};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::table::Table;
use crate::cli::view::{self, Column, Kind};

const ATTEMPTS: &[Column] = &[
    Column("try", "attempt", Kind::Number),
    Column("provider", "provider", Kind::Text),
    Column("model", "upstream_model", Kind::Text),
    Column("key", "key_source", Kind::Text),
    Column("status", "status", Kind::Status),
    Column("input", "usage/input", Kind::Number),
    Column("output", "usage/output", Kind::Number),
    Column("figures", "usage_source", Kind::Text),
    Column("list cost", "list_cost", Kind::Number),
    Column("charge", "charge", Kind::Number),
    Column("reason", "reason", Kind::Text),
];

const CANDIDATES: &[Column] = &[
    Column("provider", "provider", Kind::Text),
    Column("model", "model", Kind::Text),
    Column("key", "key_source", Kind::Text),
    Column("may serve", "eligible", Kind::Text),
    Column("reason", "reason", Kind::Text),
];

pub(super) fn run(request_id: &str, context: &Context) -> Outcome {
    let answer = context
        .client()?
        .send(&Request::get(&["requests", request_id]))?;
    context.output.show(&answer, totals)?;
    if context.output.is_json() {
        return Ok(Exit::Done);
    }
    for (name, columns) in [("candidates", CANDIDATES), ("attempts", ATTEMPTS)] {
        let table = view::table(rows(&answer, name), columns, "");
        context.output.text("\n")?;
        context.output.show(&answer, |_| table)?;
    }
    Ok(Exit::Done)
}

/// Everything but the lists.
fn totals(receipt: &Value) -> Table {
    let mut totals = receipt.clone();
    if let Some(members) = totals.as_object_mut() {
        members.shift_remove("attempts");
        members.shift_remove("candidates");
        members.shift_remove("markup_basis_points");
    }
    view::resource(&totals)
}
