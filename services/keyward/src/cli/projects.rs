//! `keyward projects`.

use clap::{Args, Subcommand};

use super::arguments::{DryRun, Holder, Removal};
use super::client::Request;
use super::context::Context;
use super::exit::{Failure, Outcome};
use super::view::{self, Column, Kind};

/// What is done with projects.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward projects create web --organization acme
  keyward keys add openai --project web --organization acme
  keyward access create --user bob --organization acme --project web

A project's keys serve access keys that were made for the project.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them
    List {
        #[command(flatten)]
        holder: Holder,
    },
    /// Show one
    Get {
        /// Its id
        id: String,
        #[command(flatten)]
        holder: Holder,
    },
    /// Make one
    Create(Change),
    /// Change its name
    Update(Change),
    /// Delete one, with its keys
    Delete {
        /// Its id
        id: String,
        #[command(flatten)]
        holder: Holder,
        #[command(flatten)]
        removal: Removal,
    },
}

#[derive(Debug, Args)]
struct Change {
    /// Its id: lower case letters, digits, `.`, `_`, `-`
    id: String,
    /// Its name for people
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    #[command(flatten)]
    holder: Holder,
    #[command(flatten)]
    how: DryRun,
}

const COLUMNS: &[Column] = &[
    Column("id", "id", Kind::Text),
    Column("organization", "organization", Kind::Text),
    Column("user", "user", Kind::Text),
    Column("name", "display_name", Kind::Text),
    Column("created", "created_at", Kind::Text),
];

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    let client = context.client()?;
    match arguments.action {
        Action::List { holder } => {
            let request = holder.query(Request::get(&["projects"]));
            let answer = client.list(&request, "projects", None)?;
            context.output.show(&answer, |answer| {
                view::list(answer, "projects", COLUMNS, "There are no projects.")
            })
        }
        Action::Get { id, holder } => {
            let answer = client.send(&holder.query(Request::get(&["projects", &id])))?;
            context.output.show(&answer, view::resource)
        }
        Action::Create(new) => {
            let request = Request::post(&["projects"])
                .member("id", Some(new.id.as_str()))
                .member("display_name", new.display_name);
            let request = new.holder.query(request);
            let next = "Next: `keyward keys add PROVIDER --project …` brings it a key, and \
                        `keyward access create --project …` lets somebody use it."
                .to_owned();
            context.show_change(&client, &request, new.how.dry_run, |_| next)
        }
        Action::Update(change) => {
            let request = Request::patch(&["projects", &change.id])
                .member("display_name", change.display_name);
            if request.is_empty() {
                let failure = Failure::usage("nothing was given to change");
                return Err(failure.hint("Give `--display-name`; `''` takes the name away."));
            }
            let request = change.holder.query(request);
            context.show_change(&client, &request, change.how.dry_run, |_| {
                "Changed.".to_owned()
            })
        }
        Action::Delete {
            id,
            holder,
            removal,
        } => {
            let what = format!(
                "This deletes the project `{id}`, its provider keys and its access keys. Usage \
                 and the ledger stay."
            );
            let request = holder.query(Request::delete(&["projects", &id]));
            context.remove(
                &client,
                &request,
                removal,
                &what,
                &format!("Deleted `{id}`."),
            )
        }
    }
}
