//! `keyward catalog refresh`: newer data from a published list.

use clap::Args;
use keyward_catalog::{CatalogFile, CatalogFolder, Source};
use keyward_catalog_import::merge::{Merged, Recipe, merge};
use keyward_catalog_import::refresh::{Refreshed, refresh};
use keyward_catalog_import::{Form, Reading};
use keyward_runtime::time;
use serde_json::{Value, json};

use super::{cannot, fetch, present, summary};
use crate::catalog;
use crate::cli::ask;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};

/// From where, and how.
#[derive(Debug, Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub(super) struct Refresh {
    /// The form of the list: litellm, genai-prices, models.dev or openrouter; the first two together
    /// where none is named
    #[arg(long, value_name = "FORM")]
    from: Option<Form>,
    /// A file or an https address; where the list's owners publish it by default
    #[arg(value_name = "FILE|URL", requires = "from")]
    place: Option<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask first
    #[arg(long, short)]
    yes: bool,
    /// Take those changes too that are held back otherwise
    #[arg(long)]
    accept_implausible: bool,
    /// Show every change, not the first 40 alone
    #[arg(long)]
    all: bool,
}

/// Said where nothing is listed.
const UNCHANGED: &str = "No offer comes or goes, and no price changes.";

/// Said before it is asked.
const BECOMES: &str = "This becomes the catalogue in force; `keyward catalog rollback` undoes it.";

pub(super) fn run(arguments: &Refresh, context: &Context) -> Outcome {
    let folder = catalog::folder(&context.settings()?);
    let current = folder.data().map_err(cannot)?;
    let read = read(arguments, &folder, context)?;
    let refreshed = refresh(&current, &read, arguments.accept_implausible);
    let is_new = !refreshed.changes.is_empty() || refreshed.other_models > 0;
    let is_applied = is_new && !arguments.dry_run;
    let answer = answer(&refreshed, is_applied);
    // What would load nowhere is found out before anybody is asked.
    folder.load_with(refreshed.file.clone()).map_err(cannot)?;
    if !context.output.is_json() {
        summary::tell(&rows(&answer), arguments.all, UNCHANGED, context)?;
    }
    context.output.note(told(&refreshed, &current));
    if is_applied {
        if !arguments.yes {
            ask::go_on(context, BECOMES, "this changes what requests cost")?;
        }
        folder.apply(&refreshed.file).map_err(cannot)?;
        let version = refreshed.file.version;
        context
            .output
            .note(format!("Version {version} is in force."));
    }
    match context.output.is_json() {
        true => context.output.line(format_args!("{answer:#}")),
        false => Ok(Exit::Done),
    }
}

fn read(arguments: &Refresh, folder: &CatalogFolder, context: &Context) -> Result<Merged, Failure> {
    let day = time::to_text(time::now())
        .chars()
        .take(10)
        .collect::<String>();
    let mut sources = Vec::new();
    let mut take = |form: Form, place: Option<&String>| {
        let place = place.map_or(form.published_at(), String::as_str);
        context.output.note(format!("Reading {form} from {place}"));
        let text = fetch::fetch(place)?;
        sources.push(Source {
            name: form.name().to_owned(),
            version: place.to_owned(),
        });
        let reading = form.read(&text, &day);
        reading.map_err(|error| Failure::from(anyhow::Error::new(error).context(place.to_owned())))
    };
    let (first, second): (Reading, Option<Reading>) = match arguments.from {
        Some(form) => (take(form, arguments.place.as_ref())?, None),
        None => (
            take(Form::LiteLlm, None)?,
            Some(take(Form::GenaiPrices, None)?),
        ),
    };
    let recipe = Recipe {
        version: folder.next_version(&day).map_err(cannot)?,
        as_of: day.clone(),
        sources,
    };
    let hand = CatalogFile::hand().map_err(anyhow::Error::new)?;
    let merged = merge(first, second, &hand, recipe);
    for refused in &merged.refusals {
        context.output.note(format!(
            "Not taken: the prices of {} at {} ({})",
            refused.model, refused.provider, refused.reason
        ));
    }
    Ok(merged)
}

fn answer(refreshed: &Refreshed, is_applied: bool) -> Value {
    json!({
        "version": is_applied.then_some(refreshed.file.version),
        "changes": present::changes(&refreshed.changes),
        "other_models": refreshed.other_models,
        "held_back": present::held_back(&refreshed.held_back),
    })
}

/// What is held back first: somebody has to look at it.
fn rows(answer: &Value) -> Vec<Value> {
    let members = ["held_back", "changes"].into_iter();
    let rows = members.filter_map(|member| answer[member].as_array());
    rows.flatten().cloned().collect()
}

fn told(refreshed: &Refreshed, current: &CatalogFile) -> String {
    let (changes, held) = (refreshed.changes.len(), refreshed.held_back.len());
    let others = match refreshed.other_models {
        0 => String::new(),
        count => format!("; {count} more models change in names, limits or abilities"),
    };
    let told = format!("{changes} changes to version {}{others}", current.version);
    match held {
        0 => format!("{told}."),
        _ => format!(
            "{told}; {held} more are held back, because they are not plausible: look at them, and \
             say `--accept-implausible` if they are true."
        ),
    }
}
