//! `keyward catalog versions`, `diff`, `rollback`: what was applied here, and going back.

use clap::Args;
use keyward_catalog::{CatalogFile, CatalogFolder};
use keyward_catalog_import::diff::diff as differences;
use serde_json::{Value, json};

use super::{cannot, present, summary};
use crate::catalog;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::view::{self, Column, Kind};

/// Which versions to compare.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The older one; the program's own by default
    from: Option<u64>,
    /// The newer one; the one in force by default
    to: Option<u64>,
    /// Show every change, not the first 40 alone
    #[arg(long)]
    all: bool,
}

/// What to go back to.
#[derive(Debug, Args)]
pub(super) struct Rollback {
    /// The version; the one before the one in force by default
    version: Option<u64>,
    /// Show which it would be, and change nothing
    #[arg(long)]
    dry_run: bool,
}

const COLUMNS: &[Column] = &[
    Column("version", "version", Kind::Text),
    Column("prices of", "as_of", Kind::Text),
    Column("models", "models", Kind::Number),
    Column("in force", "in_force", Kind::Text),
    Column("from", "from", Kind::Text),
];

pub(super) fn list(context: &Context) -> Outcome {
    let folder = catalog::folder(&context.settings()?);
    let in_force = folder.data().map_err(cannot)?.version;
    let mut versions = Vec::new();
    for version in known(&folder)? {
        let data = folder.version(version).map_err(cannot)?;
        versions.push(row(&data, in_force));
    }
    let overlay = folder.overlay().map_err(cannot)?.map(|(path, _)| path);
    let answer = json!({"versions": versions, "overlay": overlay});
    context
        .output
        .show(&answer, |_| view::table(&versions, COLUMNS, ""))?;
    if let Some(path) = overlay.filter(|_| !context.output.is_json()) {
        context
            .output
            .note(format!("{} lies over each of them.", path.display()));
    }
    Ok(Exit::Done)
}

fn row(data: &CatalogFile, in_force: u64) -> Value {
    let sources: Vec<String> = data
        .sources
        .iter()
        .map(|source| format!("{} {}", source.name, source.version))
        .collect();
    json!({
        "version": data.version,
        "as_of": data.as_of,
        "models": data.models.len(),
        "in_force": data.version == in_force,
        "from": sources.join(", "),
    })
}

/// Every version that can be put in force, latest first.
fn known(folder: &CatalogFolder) -> Result<Vec<u64>, Failure> {
    let mut versions = folder.versions().map_err(cannot)?;
    let embedded = folder.embedded().map_err(cannot)?.version;
    if !versions.contains(&embedded) {
        versions.push(embedded);
        versions.sort_unstable_by(|one, other| other.cmp(one));
    }
    Ok(versions)
}

pub(super) fn diff(which: &Diff, context: &Context) -> Outcome {
    let folder = catalog::folder(&context.settings()?);
    let from = match which.from {
        Some(version) => folder.version(version),
        None => folder.embedded(),
    };
    let to = match which.to {
        Some(version) => folder.version(version),
        None => folder.data(),
    };
    let (from, to) = (from.map_err(cannot)?, to.map_err(cannot)?);
    let changes = present::changes(&differences(&from, &to));
    let answer = json!({"from": from.version, "to": to.version, "changes": changes});
    let rows = changes.as_array().cloned().unwrap_or_default();
    match context.output.is_json() {
        true => context.output.line(format_args!("{answer:#}")),
        false => summary::tell(&rows, which.all, "The two versions are the same.", context),
    }?;
    leave_out_overlay(&folder, context);
    Ok(Exit::Done)
}

/// What is in force is a version and the overlay; only versions are compared. One that is broken is
/// no reason not to compare them.
fn leave_out_overlay(folder: &CatalogFolder, context: &Context) {
    let said = match folder.overlay() {
        Ok(None) => return,
        Ok(Some((path, _))) => format!(
            "{} is left out: it lies over every version.",
            path.display()
        ),
        Err(error) => format!(
            "The overlay is left out, and broken: {:#}",
            anyhow::Error::new(error)
        ),
    };
    context.output.note(said);
}

pub(super) fn rollback(rollback: &Rollback, context: &Context) -> Outcome {
    let folder = catalog::folder(&context.settings()?);
    let in_force = folder.data().map_err(cannot)?.version;
    let before = known(&folder)?
        .into_iter()
        .find(|version| *version < in_force);
    let Some(version) = rollback.version.or(before) else {
        return Err(Failure::refused(
            "there is no version before the one in force",
        ));
    };
    let data = folder.version(version).map_err(cannot)?;
    if !rollback.dry_run {
        folder.choose(version).map_err(cannot)?;
    }
    let answer = row(&data, if rollback.dry_run { in_force } else { version });
    context.output.show(&answer, view::resource)
}
