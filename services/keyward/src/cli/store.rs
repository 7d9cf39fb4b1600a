//! `keyward store copy`: everything that a role owns, from one store to another. It works on the
//! stores themselves, beside no gateway.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use indicatif::ProgressBar;
use keyward_secret::Secret;
use keyward_storage::copy::{self, CopyError, Layout, Place, TableSum};
use keyward_vault::PostgresUrl;
use serde_json::{Value, json};

use super::context::Context;
use super::exit::{Exit, Failure, Outcome};
use super::view::{self, Column, Kind};

/// What to do with stores.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copy all that a role owns into an empty store, and compare
    Copy(Copy),
}

/// From where to where.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward store copy --from sqlite:keyward-data/vault.db --to @/run/secrets/vault-store-url
  keyward store copy --from postgres://keyward_vault@localhost/keyward --to sqlite:copy.db
  keyward store copy --of metering --from sqlite:keyward-data/metering.db --to @metering-url

Stop the gateway first. A password belongs into a file: others can read arguments.")]
struct Copy {
    /// Whose store it is
    #[arg(long, value_enum, value_name = "ROLE", default_value_t = Owner::Vault)]
    of: Owner,
    /// The store to read: `sqlite:FILE`, `postgres://…`, or `@FILE` with that in it
    #[arg(long, value_name = "URL")]
    from: String,
    /// The store to fill, which must be new or empty
    #[arg(long, value_name = "URL")]
    to: String,
}

/// Who has a store.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Owner {
    Vault,
    Metering,
    Router,
}

impl Owner {
    const fn layout(self) -> &'static Layout {
        match self {
            Self::Vault => &keyward_vault::store::tables::LAYOUT,
            Self::Metering => &keyward_metering::LAYOUT,
            Self::Router => &keyward_router::LAYOUT,
        }
    }

    /// What to do with a copy next.
    const fn next(self) -> &'static str {
        match self {
            Self::Vault => {
                "Both stores hold the same. Next: `keyward audit verify` on both, then start with \
                 the new one."
            }
            Self::Metering | Self::Router => {
                "Both stores hold the same. Next: start with the new one."
            }
        }
    }
}

const COLUMNS: &[Column] = &[
    Column("table", "table", Kind::Text),
    Column("rows", "rows", Kind::Text),
    Column("sha256", "sha256", Kind::Text),
];

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let Command::Copy(arguments) = &arguments.command;
    let (from, to) = (
        place("--from", &arguments.from)?,
        place("--to", &arguments.to)?,
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::refused)?;
    let bar = ProgressBar::new_spinner();
    let progress = |table: &'static str, rows: usize| {
        bar.set_message(table);
        bar.inc(rows as u64);
    };
    let copied = runtime.block_on(copy::copy(arguments.of.layout(), &from, &to, progress));
    bar.finish_and_clear();
    let tables = copied.map_err(|error: CopyError| Failure::of(Exit::Failed, error.into()))?;
    let data = json!({"tables": tables.iter().map(row).collect::<Vec<Value>>()});
    let shown = context
        .output
        .show(&data, |data| view::list(data, "tables", COLUMNS, ""));
    shown?;
    context.output.note(arguments.of.next());
    Ok(Exit::Done)
}

fn row(table: &TableSum) -> Value {
    json!({"table": table.name, "rows": table.rows, "sha256": hex::encode(table.digest)})
}

/// The place that an argument names; it is not repeated.
fn place(option: &str, given: &str) -> Result<Place, Failure> {
    let text = match given.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Failure::refused(format!("the file of {option}: {error}")))?,
        None => given.to_owned(),
    };
    let text = Secret::new(text.trim());
    if let Some(path) = text
        .expose()
        .strip_prefix("sqlite:")
        .filter(|path| !path.is_empty())
    {
        return Ok(Place::Sqlite(PathBuf::from(path)));
    }
    match PostgresUrl::parse(text.expose()) {
        Ok(url) => Ok(Place::Postgres(url)),
        Err(error) => Err(Failure::usage(format!(
            "{option}: {error}, or `sqlite:FILE`"
        ))),
    }
}
