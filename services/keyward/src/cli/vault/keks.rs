//! `keyward vault keks`: the life of master keys.

use std::io::{self, IsTerminal as _, Write as _};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::rewrap;
use crate::cli::arguments::DryRun;
use crate::cli::client::{Client, Request};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::view::{self, Column, Kind};

/// What is done with master keys.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward vault keks add 2026-11         a new key in the vault's key file
  keyward vault keks activate 2026-11    it wraps what is new
  keyward vault keks rewrap              and what is old
  keyward vault keks retire 2025-11      refused while it is needed
  keyward vault keks destroy 2025-11     backups that need it die")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them: how each stands, and how many data keys need it
    List,
    /// Make one and add it to the vault's key file; it wraps nothing yet
    Add {
        /// Its id; one is made where there is none
        id: Option<String>,
        #[command(flatten)]
        how: DryRun,
    },
    /// Have new data keys wrapped by this one
    Activate {
        /// Its id
        id: String,
        #[command(flatten)]
        how: DryRun,
    },
    /// Have the active one wrap all data keys, while they are in use; can be broken off and repeated
    Rewrap,
    /// Put one away that wraps nothing any more
    Retire {
        /// Its id
        id: String,
        #[command(flatten)]
        how: DryRun,
    },
    /// End a retired one for good; asks for its id
    Destroy {
        /// Its id
        id: String,
        /// Do not ask first
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        how: DryRun,
    },
}

const COLUMNS: &[Column] = &[
    Column("id", "id", Kind::Text),
    Column("state", "state", Kind::Status),
    Column("provider", "provider", Kind::Text),
    Column("data keys", "data_keys", Kind::Number),
    Column("replicas", "replicas", Kind::Text),
    Column("activated", "activated_at", Kind::Text),
    Column("retired", "retired_at", Kind::Text),
    Column("destroyed", "destroyed_at", Kind::Text),
];

pub(super) fn run(arguments: Arguments, client: &Client, context: &Context) -> Outcome {
    let done_to = |id: &str, verb: &str| Request::post(&["vault", "master-keys", id, verb]);
    match arguments.action {
        Action::List => {
            let request = Request::get(&["vault", "master-keys"]);
            let answer = client.list(&request, "master_keys", None)?;
            context.output.show(&answer, |answer| {
                view::list(answer, "master_keys", COLUMNS, "There are no master keys.")
            })
        }
        Action::Add { id, how } => {
            let request = Request::post(&["vault", "master-keys"]);
            let request = request.member("id", Some(id.map_or(Value::Null, Value::String)));
            context.show_change(client, &request, how.dry_run, |answer| {
                format!(
                    "Back the key file up, apart from the store. \
                     Next: `keyward vault keks activate {}`.",
                    answer["id"].as_str().unwrap_or("ID")
                )
            })
        }
        Action::Activate { id, how } => {
            let next =
                |_: &_| "It wraps new data keys. Next: `keyward vault keks rewrap`.".to_owned();
            context.show_change(client, &done_to(&id, "activate"), how.dry_run, next)
        }
        Action::Rewrap => rewrap::run(client, context),
        Action::Retire { id, how } => {
            let next = |_: &_| {
                format!(
                    "It is not needed any more, but by backups made before now: they open only with \
                     it. `keyward vault keks destroy {id}` ends it, and them."
                )
            };
            context.show_change(client, &done_to(&id, "retire"), how.dry_run, next)
        }
        Action::Destroy { id, yes, how } => {
            if !yes && !how.dry_run {
                confirm(context, &id, &since(client, &id)?)?;
            }
            context.show_change(client, &done_to(&id, "destroy"), how.dry_run, destroyed)
        }
    }
}

/// From when on backups need a master key.
fn since(client: &Client, id: &str) -> Result<String, Failure> {
    let answer = client.list(
        &Request::get(&["vault", "master-keys"]),
        "master_keys",
        None,
    )?;
    let keys = answer["master_keys"].as_array();
    let key = keys.and_then(|keys| keys.iter().find(|key| key["id"] == id));
    let key = key.ok_or_else(|| {
        Failure::new(Exit::Failed, format!("there is no master key {id}"))
            .hint("`keyward vault keks list` names them.")
    })?;
    let time = |member: &str| view::plain(member, &key[member]);
    Ok(format!(
        "made between {} and {}",
        first_of([time("activated_at"), time("created_at")]),
        first_of([time("retired_at"), "now".to_owned()])
    ))
}

fn first_of(texts: [String; 2]) -> String {
    texts
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

/// Nobody destroys a master key by a habit of saying `y`.
fn confirm(context: &Context, id: &str, backups: &str) -> Result<(), Failure> {
    context.output.note(format!(
        "This destroys the master key {id}. Backups of the vault's store {backups} need it and \
         never open again."
    ));
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let message = "this cannot be undone, and there is no terminal to ask at";
        return Err(Failure::refused(message).hint("Say `--yes` if it shall happen."));
    }
    let mut stderr = io::stderr().lock();
    write!(stderr, "Type its id to go on: ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim() == id {
        true => Ok(()),
        false => Err(Failure::new(Exit::Failed, "nothing was changed")),
    }
}

fn destroyed(answer: &Value) -> String {
    match answer["erased"].as_bool() {
        Some(true) => "Destroyed, and erased from the vault's key file. Erase your copies of it, too; \
                       backups that need it do not open any more."
            .to_owned(),
        _ => "Marked as destroyed: the vault never uses it again. Its bytes are not here: erase them \
              where they are kept (`vault.master_keys`, your key management)."
            .to_owned(),
    }
}
