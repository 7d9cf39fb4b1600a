//! `keyward catalog`: the models that this installation knows, where their prices are from, and newer
//! data for them. It works on files, beside a gateway that runs or without one.

mod fetch;
mod present;
mod refresh;
mod summary;
mod versions;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::context::Context;
use super::exit::{Failure, Outcome};
use super::view::{self, Column, Kind};
use crate::catalog;

/// What is asked about the catalogue.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward catalog list --provider anthropic
  keyward catalog show gpt-4o
  keyward catalog refresh --dry-run
  keyward catalog refresh --from openrouter models.json --yes
  keyward catalog versions
  keyward catalog rollback

A gateway that runs over the same `data_dir` takes another version within two seconds.
`catalog/overlay.json` in it lies over every version. Prices are in credits for 1,000,000 units.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List models
    List(List),
    /// Show a model by its id or another name: who offers it at what price
    Show {
        /// The model
        model: String,
    },
    /// List the versions that were applied here, and which is in force
    Versions,
    /// Show what one version has that another has not
    Diff(versions::Diff),
    /// Take newer prices and models from a published list: shows what changes, and asks
    Refresh(refresh::Refresh),
    /// Put an earlier version back in force
    Rollback(versions::Rollback),
}

/// Which models to list.
#[derive(Debug, Args)]
struct List {
    /// Of one provider
    #[arg(long)]
    provider: Option<String>,
    /// That can be asked for this, such as `chat.completions` or `embeddings`
    #[arg(long)]
    endpoint: Option<String>,
    /// With this in their names
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Those too that are retired or hidden
    #[arg(long)]
    all: bool,
}

const COLUMNS: &[Column] = &[
    Column("model", "model", Kind::Text),
    Column("provider", "provider", Kind::Text),
    Column("input", "prices/input", Kind::Number),
    Column("output", "prices/output", Kind::Number),
    Column("context", "context_tokens", Kind::Number),
    Column("source", "source", Kind::Text),
];

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    match arguments.action {
        Action::List(which) => list(&which, context),
        Action::Show { model } => show(&model, context),
        Action::Versions => versions::list(context),
        Action::Diff(which) => versions::diff(&which, context),
        Action::Refresh(refresh) => refresh::run(&refresh, context),
        Action::Rollback(rollback) => versions::rollback(&rollback, context),
    }
}

fn list(which: &List, context: &Context) -> Outcome {
    let catalog = catalog::folder(&context.settings()?)
        .load()
        .map_err(cannot)?;
    let models: Vec<Value> = catalog
        .all_models()
        .filter(|model| which.all || model.is_listed())
        .filter(|model| {
            which
                .search
                .as_ref()
                .is_none_or(|text| present::has(model, text))
        })
        .filter(|model| {
            let endpoint = which.endpoint.as_deref();
            endpoint.is_none_or(|name| model.endpoints.iter().any(|it| it.name() == name))
        })
        .filter(|model| {
            which
                .provider
                .as_deref()
                .is_none_or(|it| model.offer(it).is_some())
        })
        .map(present::model)
        .collect();
    let answer = json!({"models": models});
    context.output.show(&answer, |_| {
        let offers: Vec<Value> = models
            .iter()
            .flat_map(present::offers)
            .filter(|offer| {
                which
                    .provider
                    .as_deref()
                    .is_none_or(|it| offer["provider"] == it)
            })
            .collect();
        view::table(&offers, COLUMNS, "There is no such model.")
    })
}

fn show(name: &str, context: &Context) -> Outcome {
    let catalog = catalog::folder(&context.settings()?)
        .load()
        .map_err(cannot)?;
    let Some(model) = catalog.resolve(name) else {
        let failure = Failure::refused(format!("there is no model {name:?} in the catalogue"));
        return Err(failure.hint(format!("Look for it: keyward catalog list --search {name}")));
    };
    let answer = present::model(model);
    context.output.show(&answer, present::page)
}

/// A fault of the files, with its cause.
fn cannot(error: keyward_catalog::FolderError) -> Failure {
    Failure::from(anyhow::Error::new(error).context("the catalogue cannot be used"))
}
