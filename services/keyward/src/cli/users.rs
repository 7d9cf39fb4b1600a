//! `keyward users`.

use clap::Args;

use super::context::Context;
use super::exit::Outcome;
use super::tenants::{self, Action, Words};

/// What is done with users.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward users create bob --tier professional
  keyward access create --user bob --scopes inference,keys,usage
  keyward users list

Your access key needs the scope `admin` to make, change or delete users.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

const WORDS: Words = Words {
    list: "users",
    one: "user",
    none: "There are no users.",
    goes: ", its provider keys and its access keys. Usage and the ledger stay.",
    next: |id| format!("Next: `keyward access create --user {id}` gives it an access key."),
};

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    tenants::run(arguments.action, WORDS, context)
}
