//! `keyward prices`: the price book and its versions, and what something would cost or would have cost.

mod estimate;
mod rerate;
mod units;
mod versions;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::arguments::Limit;
use super::client::{Request, rows};
use super::context::Context;
use super::exit::{Exit, Outcome};
use super::table::Table;
use super::view::{self, Column, Kind};

/// What is asked about prices.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward prices list --provider openai
  keyward prices get openai/gpt-4o
  keyward prices estimate openai/gpt-4o --input 100M --output 2M
  keyward prices estimate openai/gpt-4o --input 10k --output 500 --tier professional
  keyward prices versions
  keyward prices diff                                      what the version in force changed
  keyward prices activate 2026110101                       an earlier one, to go back
  keyward prices rerate --from 2026-11-01 --version 2026110101

Prices are in credits for 1,000,000 tokens, before markup. With your own key nothing is charged.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the prices of models
    List {
        /// Of one provider
        #[arg(long)]
        provider: Option<String>,
        /// Of one model
        #[arg(long)]
        model: Option<String>,
    },
    /// Show all prices of one model
    Get {
        /// The model
        model: String,
    },
    /// Say what something would cost, in each tier and with an own key
    Estimate(Box<estimate::Estimate>),
    /// List the sets of prices that there were, and which is in force
    Versions(Limit),
    /// Show what one version has that another has not
    Diff(versions::Diff),
    /// Put a version in force, an earlier or a later one
    Activate(versions::Activate),
    /// Say what past usage would have cost by a version, and at a tier
    Rerate(Box<rerate::Rerate>),
}

const COLUMNS: &[Column] = &[
    Column("model", "model", Kind::Text),
    Column("provider", "provider", Kind::Text),
    Column("input", "prices/input", Kind::Number),
    Column("output", "prices/output", Kind::Number),
    Column("cache read", "prices/cache_read", Kind::Number),
    Column("cache write", "prices/cache_write_5m", Kind::Number),
];

/// What the prices of one model are for.
const UNITS: &str = "Credits for 1,000,000 tokens, before markup; of `audio ms` and `characters` for \
                     1,000,000 of them, of a `fee` for each piece.";

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    match arguments.action {
        Action::List { provider, model } => {
            let request = Request::get(&["prices"])
                .query("provider", provider)
                .query("model", model);
            let answer = context.client()?.list(&request, "prices", None)?;
            context.output.show(&answer, |answer| {
                let offers: Vec<Value> = rows(answer, "prices").iter().flat_map(offers).collect();
                view::table(&offers, COLUMNS, "There are no prices for that.")
            })?;
            context.output.note(
                "Credits for 1,000,000 tokens, before markup; `prices get` shows all of a model.",
            );
            Ok(Exit::Done)
        }
        Action::Get { model } => {
            let segments: Vec<&str> = ["prices"].into_iter().chain(model.split('/')).collect();
            let answer = context.client()?.send(&Request::get(&segments))?;
            context.output.show(&answer, one)?;
            context.output.note(UNITS);
            Ok(Exit::Done)
        }
        Action::Estimate(estimate) => estimate::run(&estimate, context),
        Action::Versions(limit) => versions::list(&limit, context),
        Action::Diff(which) => versions::diff(&which, context),
        Action::Activate(activate) => versions::activate(&activate, context),
        Action::Rerate(rerate) => rerate::run(&rerate, context),
    }
}

/// A model's offers, each with the model's name.
fn offers(model: &Value) -> Vec<Value> {
    let offers = rows(model, "providers").iter().cloned();
    let named = offers.map(|mut offer| {
        offer["model"] = model["model"].clone();
        offer
    });
    named.collect()
}

/// Every price of a model, a line each.
fn one(model: &Value) -> Table {
    const COLUMNS: &[Column] = &[
        Column("provider", "provider", Kind::Text),
        Column("for", "for", Kind::Text),
        Column("price", "price", Kind::Number),
        Column("when", "when", Kind::Text),
    ];
    let mut lines = Vec::new();
    for offer in rows(model, "providers") {
        push_lines(&mut lines, offer, &offer["prices"], "");
        for context in rows(&offer["prices"], "long_context") {
            let above = view::plain("", &context["above_tokens"]);
            let when = format!("the input is longer than {above} tokens");
            push_lines(&mut lines, offer, &context["prices"], &when);
        }
        for tier in rows(&offer["prices"], "service_tiers") {
            let when = format!("service tier {}", view::plain("", &tier["service_tier"]));
            push_lines(&mut lines, offer, &tier["prices"], &when);
        }
    }
    view::table(&lines, COLUMNS, "It has no price.")
}

fn push_lines(lines: &mut Vec<Value>, offer: &Value, prices: &Value, when: &str) {
    let prices = prices.as_object().into_iter().flatten();
    for (name, price) in prices.filter(|(_, price)| price.is_string()) {
        lines.push(serde_json::json!({
            "provider": offer["provider"],
            "for": name.replace('_', " "),
            "price": price,
            "when": when,
        }));
    }
}
