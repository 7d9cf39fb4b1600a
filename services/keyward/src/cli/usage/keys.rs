//! `keyward usage keys` and `keyward usage savings`: provider keys by what they were used for, and what
//! own ones saved.

use serde_json::Value;

use super::Filter;
use crate::cli::client::Request;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::view::{self, Column, Kind};

const KEYS: &[Column] = &[
    Column("key", "key", Kind::Text),
    Column("provider", "provider", Kind::Text),
    Column("source", "source", Kind::Text),
    Column("attempts", "attempts", Kind::Number),
    Column("failed", "failed_attempts", Kind::Number),
    Column("input", "usage/input", Kind::Number),
    Column("output", "usage/output", Kind::Number),
    Column("list cost", "list_cost", Kind::Number),
    Column("saved", "saved", Kind::Number),
    Column("last used", "last_used_at", Kind::Text),
];

pub(super) fn keys(filter: &Filter, context: &Context) -> Outcome {
    let request = filter.query(Request::get(&["usage", "keys"]));
    let answer = context.client()?.list(&request, "keys", None)?;
    context.output.show(&answer, |answer| {
        view::list(answer, "keys", KEYS, "No key was used in this time.")
    })?;
    period(&answer, context);
    Ok(Exit::Done)
}

pub(super) fn savings(filter: &Filter, context: &Context) -> Outcome {
    const COLUMNS: &[Column] = &[
        Column("keys", "keys", Kind::Text),
        Column("attempts", "attempts", Kind::Number),
        Column("list cost", "list_cost", Kind::Number),
        Column("in credits", "credit_cost", Kind::Number),
        Column("charge", "charge", Kind::Number),
        Column("saved", "saved", Kind::Number),
    ];
    let request = filter.query(Request::get(&["usage", "savings"]));
    let answer = context.client()?.send(&request)?;
    context.output.show(&answer, |answer| {
        let mut own = answer["own_keys"].clone();
        own["keys"] = "your own".into();
        own["saved"] = answer["saved"].clone();
        let mut credits = answer["credits"].clone();
        credits["keys"] = "the platform's".into();
        credits["credit_cost"] = credits["charge"].clone();
        view::table(&[own, credits], COLUMNS, "")
    })?;
    let tier = view::plain("tier", &answer["tier"]);
    context
        .output
        .note(format_args!("At the tier {tier}, as it is now."));
    period(&answer, context);
    Ok(Exit::Done)
}

fn period(answer: &Value, context: &Context) {
    let time = |name: &str| view::plain(name, &answer[name]);
    let (from, to) = (time("from"), time("to"));
    context
        .output
        .note(format_args!("From {from} to {to}; amounts in credits."));
}
