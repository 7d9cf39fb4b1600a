//! `keyward orgs`, and their members.

mod members;

use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::Outcome;
use super::tenants::{self, Words};

/// What is done with organisations.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward orgs create acme --tier enterprise
  keyward orgs members add acme bob --role member
  keyward keys add openai --organization acme

Your access key needs the scope `admin` to make, change or delete organisations; members are
managed by an organisation's owners and admins too.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    #[command(flatten)]
    Organization(tenants::Action),
    /// Who is in it, and in which role
    Members(members::Arguments),
}

const WORDS: Words = Words {
    list: "organizations",
    one: "organisation",
    none: "There are no organisations.",
    goes: ", its projects, provider keys and access keys. Usage and the ledger stay.",
    next: |id| format!("Next: `keyward orgs members add {id} USER` lets somebody act in it."),
};

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    match arguments.action {
        Action::Organization(action) => tenants::run(action, WORDS, context),
        Action::Members(arguments) => members::run(arguments, context),
    }
}
