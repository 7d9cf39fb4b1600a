//! `keyward access`: access keys, by which callers are known.

mod create;

use clap::{Args, Subcommand};

use super::arguments::{Holder, Removal};
use super::client::Request;
use super::context::Context;
use super::exit::Outcome;
use super::view::{self, Column, Kind};

/// What is done with access keys.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward access create --user bob --scopes inference,usage
  keyward access create --label ci --out ci-key       the secret into a file that only you can read
  export KEYWARD_ACCESS_KEY=$(keyward access create --user bob)
  keyward access revoke ID")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them; secrets are not shown
    List {
        #[command(flatten)]
        holder: Holder,
    },
    /// Show one; its secret is not shown
    Get {
        /// Its id
        id: String,
    },
    /// Make one: its secret alone goes to standard output, this once
    Create(Box<create::Create>),
    /// Revoke one: it stops working at once
    Revoke {
        /// Its id
        id: String,
        #[command(flatten)]
        removal: Removal,
    },
}

const COLUMNS: &[Column] = &[
    Column("id", "id", Kind::Text),
    Column("key", "masked_key", Kind::Text),
    Column("label", "label", Kind::Text),
    Column("user", "user", Kind::Text),
    Column("organization", "organization", Kind::Text),
    Column("project", "project", Kind::Text),
    Column("scopes", "scopes", Kind::Text),
    Column("expires", "expires_at", Kind::Text),
    Column("revoked", "revoked_at", Kind::Text),
];

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    let client = context.client()?;
    match arguments.action {
        Action::List { holder } => {
            let request = holder.query(Request::get(&["access-keys"]));
            let answer = client.list(&request, "access_keys", None)?;
            context.output.show(&answer, |answer| {
                view::list(answer, "access_keys", COLUMNS, "There are no access keys.")
            })
        }
        Action::Get { id } => {
            let answer = client.send(&Request::get(&["access-keys", &id]))?;
            context.output.show(&answer, view::resource)
        }
        Action::Create(create) => create::run(&create, &client, context),
        Action::Revoke { id, removal } => {
            let what = format!("This revokes the access key {id}: whoever uses it is refused.");
            let request = Request::delete(&["access-keys", &id]);
            context.remove(&client, &request, removal, &what, "Revoked.")
        }
    }
}
