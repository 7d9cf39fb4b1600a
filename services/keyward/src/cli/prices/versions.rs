//! `keyward prices versions`, `diff`, `activate`: which sets of prices there were, how they differ, and
//! which is in force.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::arguments::{DryRun, Limit};
use crate::cli::client::{Refusal, Request, rows};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::view::{self, Column, Kind};

/// Which versions to compare.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The older one; the one before the other by default
    from: Option<u64>,
    /// The newer one; the one in force by default
    to: Option<u64>,
}

/// What to put in force.
#[derive(Debug, Args)]
pub(super) struct Activate {
    /// The version
    version: u64,
    #[command(flatten)]
    how: DryRun,
}

const VERSIONS: &[Column] = &[
    Column("version", "version", Kind::Text),
    Column("since", "created_at", Kind::Text),
    Column("in force", "active", Kind::Text),
    Column("of the catalogue", "of_catalog", Kind::Text),
    Column("prices", "prices", Kind::Number),
    Column("added", "added", Kind::Number),
    Column("removed", "removed", Kind::Number),
    Column("changed", "changed", Kind::Number),
];

const CHANGES: &[Column] = &[
    Column("provider", "provider", Kind::Text),
    Column("model", "model", Kind::Text),
    Column("change", "change", Kind::Text),
    Column("input", "input", Kind::Number),
    Column("output", "output", Kind::Number),
];

pub(super) fn list(limit: &Limit, context: &Context) -> Outcome {
    let request = Request::get(&["price-versions"]);
    let answer = context
        .client()?
        .list(&request, "price_versions", limit.limit)?;
    context.output.show(&answer, |answer| {
        view::list(answer, "price_versions", VERSIONS, "There are no versions.")
    })
}

pub(super) fn diff(which: &Diff, context: &Context) -> Outcome {
    let number = |version: Option<u64>| version.map(|version| version.to_string());
    let request = Request::get(&["price-versions", "changes"])
        .query("from", number(which.from))
        .query("to", number(which.to));
    let answer = context.client()?.list(&request, "changes", None);
    let answer = answer.map_err(named_wrongly)?;
    context.output.show(&answer, |answer| {
        let lines: Vec<Value> = rows(answer, "changes").iter().map(change).collect();
        view::table(&lines, CHANGES, "The two versions are the same.")
    })?;
    let said = |member: &str| view::plain(member, &answer[member]);
    let (from, to) = (said("from"), said("to"));
    context.output.note(format_args!(
        "From version {from} to {to}, in credits for 1,000,000 tokens; `--json` shows all prices."
    ));
    Ok(Exit::Done)
}

/// A change in a line; other prices than these two are named.
fn change(change: &Value) -> Value {
    let (from, to) = (&change["from"], &change["to"]);
    let word = match (from.is_null(), to.is_null()) {
        (true, _) => "added".to_owned(),
        (_, true) => "removed".to_owned(),
        _ => match others(from, to).as_slice() {
            [] => "changed".to_owned(),
            others => format!("changed, also {}", others.join(", ")),
        },
    };
    let both = |name: &str| match (from[name].as_str(), to[name].as_str()) {
        (Some(from), Some(to)) if from != to => Value::from(format!("{from} → {to}")),
        (Some(price), _) | (None, Some(price)) => price.into(),
        (None, None) => Value::Null,
    };
    json!({
        "provider": change["provider"],
        "model": change["model"],
        "change": word,
        "input": both("input"),
        "output": both("output"),
    })
}

/// Which prices differ besides.
fn others(from: &Value, to: &Value) -> Vec<String> {
    let members = [from, to].into_iter().filter_map(Value::as_object);
    let mut names: Vec<String> = members
        .flat_map(|members| members.keys().cloned())
        .collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| from[name] != to[name] && name != "input" && name != "output");
    names
}

pub(super) fn activate(activate: &Activate, context: &Context) -> Outcome {
    let version = activate.version.to_string();
    let request = Request::post(&["price-versions", &version, "activate"]);
    let client = context.client()?;
    let done = |answer: &Value| {
        let before = view::plain("previous_version", &answer["previous_version"]);
        format!(
            "In force for requests that begin from now on, until a catalogue brings other prices. \
             To go back: `keyward prices activate {before}`."
        )
    };
    context
        .show_change(&client, &request, activate.how.dry_run, done)
        .map_err(named_wrongly)
}

/// With where versions are numbered, where one that was asked for is not there.
pub(super) fn named_wrongly(failure: Failure) -> Failure {
    match Refusal::of(&failure).is_some_and(|refusal| refusal.code == "not_found") {
        true => failure.hint("`keyward prices versions` has the numbers."),
        false => failure,
    }
}
