//! `keyward users` and `keyward orgs`: what they have in common.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::arguments::{DryRun, Removal};
use super::client::{Client, Request};
use super::context::Context;
use super::exit::{Failure, Outcome};
use super::tiers;
use super::view::{self, Column, Kind};

/// What is done with users or organisations.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List them
    List,
    /// Show one
    Get {
        /// Its id
        id: String,
    },
    /// Make one
    Create(Create),
    /// Change its tier or its name
    Update(Update),
    /// Delete one, with its keys
    Delete {
        /// Its id
        id: String,
        #[command(flatten)]
        removal: Removal,
    },
}

/// A new one.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// Its id: lower case letters, digits, `.`, `_`, `-`
    id: String,
    #[command(flatten)]
    members: Members,
    #[command(flatten)]
    how: DryRun,
}

/// What can be changed.
#[derive(Debug, Args)]
pub(super) struct Update {
    /// Its id
    id: String,
    #[command(flatten)]
    members: Members,
    #[command(flatten)]
    how: DryRun,
}

#[derive(Debug, Args)]
struct Members {
    /// Its tier, which sets the markup on credits (`keyward tiers list`)
    #[arg(long)]
    tier: Option<String>,
    /// Its name for people
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
}

impl Members {
    fn members(self, request: Request) -> Request {
        request
            .member("tier", self.tier)
            .member("display_name", self.display_name)
    }
}

/// Which of the two kinds, in the words that are used for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// Its list in the API.
    pub(super) list: &'static str,
    /// One of them.
    pub(super) one: &'static str,
    /// What to say where there are none.
    pub(super) none: &'static str,
    /// What goes with one that is deleted.
    pub(super) goes: &'static str,
    /// What comes after making one.
    pub(super) next: fn(&str) -> String,
}

const COLUMNS: &[Column] = &[
    Column("id", "id", Kind::Text),
    Column("tier", "tier", Kind::Text),
    Column("name", "display_name", Kind::Text),
    Column("created", "created_at", Kind::Text),
];

/// Does it.
pub(super) fn run(action: Action, words: Words, context: &Context) -> Outcome {
    let client = context.client()?;
    match action {
        Action::List => {
            let answer = client.list(&Request::get(&[words.list]), words.list, None)?;
            let table = |answer: &Value| view::list(answer, words.list, COLUMNS, words.none);
            context.output.show(&answer, table)
        }
        Action::Get { id } => {
            let answer = client.send(&Request::get(&[words.list, &id]))?;
            context.output.show(&answer, view::resource)
        }
        Action::Create(new) => {
            let request = Request::post(&[words.list]).member("id", Some(new.id.clone()));
            let request = new.members.members(request);
            context
                .show_change(&client, &request, new.how.dry_run, |_| {
                    (words.next)(&new.id)
                })
                .map_err(tiers::hinted)
        }
        Action::Update(update) => {
            let request = Request::patch(&[words.list, &update.id]);
            let request = update.members.members(request);
            if request.is_empty() {
                let message = "nothing was given to change";
                return Err(Failure::usage(message).hint("Give `--tier` or `--display-name`."));
            }
            context
                .show_change(&client, &request, update.how.dry_run, |_| {
                    "Changed.".to_owned()
                })
                .map_err(tiers::hinted)
        }
        Action::Delete { id, removal } => {
            let what = format!("This deletes the {} `{id}`{}", words.one, words.goes);
            let request = Request::delete(&[words.list, &id]);
            let done = format!("Deleted `{id}`.");
            let exit = context.remove(&client, &request, removal, &what, &done)?;
            if !removal.dry_run {
                note_backups(&client, context);
            }
            Ok(exit)
        }
    }
}

/// Which master keys still open what was deleted, from a backup. It is done whether or not this can be
/// told.
fn note_backups(client: &Client, context: &Context) {
    let request = Request::get(&["vault", "master-keys"]);
    let Ok(answer) = client.list(&request, "master_keys", None) else {
        return;
    };
    let keys = answer["master_keys"].as_array().into_iter().flatten();
    let live = keys.filter(|key| key["state"] != "destroyed");
    let ids: Vec<&str> = live.filter_map(|key| key["id"].as_str()).collect();
    context.output.note(format!(
        "Older backups still open its keys with the master key that wrapped them then, one of: {}. \
         `keyward vault keks destroy` ends one, and with it the backups that need it.",
        ids.join(", ")
    ));
}
