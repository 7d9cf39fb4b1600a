//! `keyward keys`: provider keys, which go in and never come out.

mod add;
mod change;
mod dotenv;
mod hygiene;
mod import;
mod owner;
mod secret;
mod test;

use clap::{Args, Subcommand};

use super::arguments::{DryRun, Removal};
use super::client::{Refusal, Request, rows};
use super::context::Context;
use super::exit::{Failure, Outcome};
use super::view::{self, Column, Kind};
use hygiene::Concerns;
use owner::KeyOwner;

/// What is done with provider keys.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward keys add openai                           asks for the key; it is not shown
  keyward keys add openai --key-env OPENAI_API_KEY  takes it from a variable
  pass show openai | keyward keys add openai -      takes it from standard input
  keyward keys import --env .env                    takes over every key that it knows
  keyward keys import --fernet keys.csv             takes over what another system encrypted
  keyward keys add openai --owner organization --organization acme
  keyward keys rotate ID                            new secret, same id
  keyward keys list --due --failing                 those that need a new one
  keyward keys test ID                              asks the provider whether it works
  keyward keys test --provider openai               the same for one that is not added yet

A key is never an argument: others could see it in the list of processes.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List keys, masked
    List {
        #[command(flatten)]
        owner: KeyOwner,
        /// Of one provider
        #[arg(long)]
        provider: Option<String>,
        #[command(flatten)]
        concerns: Concerns,
    },
    /// Show one, masked
    Get {
        /// Its id
        id: String,
    },
    /// Add a key of a provider
    Add(Box<add::Add>),
    /// Change a key's label, weight, expiry, or where it is sent
    Update(Box<change::Update>),
    /// Give a key a new secret; its id stays
    Rotate(change::Rotate),
    /// Ask a key's provider whether it works
    Test(test::Test),
    /// Let a key serve again
    Enable {
        /// Its id
        id: String,
        #[command(flatten)]
        how: DryRun,
    },
    /// Stop a key from serving, at once
    Disable {
        /// Its id
        id: String,
        #[command(flatten)]
        how: DryRun,
    },
    /// Delete a key, for good
    Delete {
        /// Its id
        id: String,
        #[command(flatten)]
        removal: Removal,
    },
    /// Take over provider keys: those of a `.env` file, or Fernet tokens of another system
    Import(Box<import::Import>),
}

const COLUMNS: &[Column] = &[
    Column("id", "id", Kind::Text),
    Column("provider", "provider", Kind::Text),
    Column("key", "masked_key", Kind::Text),
    Column("label", "label", Kind::Text),
    Column("owner", "owner", Kind::Text),
    Column("of", "owner_id", Kind::Text),
    Column("status", "status", Kind::Status),
    Column("last used", "last_used_at", Kind::Text),
    Column("attention", "attention", Kind::Text),
];

/// What to say where there are no keys.
const NONE: &str = "There are no keys here. `keyward keys add PROVIDER` adds one.";

/// What to say where no key is as asked.
const NONE_SUCH: &str = "No key is like that.";

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    use Action::{Add, Import, List};
    let is_by_id = !matches!(arguments.action, Add(_) | Import(_) | List { .. });
    act(arguments.action, context).map_err(|failure| match is_by_id {
        true => hinted(failure),
        false => failure,
    })
}

fn list(
    owner: &KeyOwner,
    provider: Option<&str>,
    concerns: &Concerns,
    context: &Context,
) -> Outcome {
    let request = owner.query(Request::get(&["provider-keys"]));
    let mut answer = context.client()?.list(&request, "provider_keys", None)?;
    if let Some(keys) = answer["provider_keys"].as_array_mut() {
        keys.retain(|key| {
            provider.is_none_or(|provider| key["provider"] == provider) && concerns.include(key)
        });
    }
    context.output.show(&answer, |answer| {
        let keys = hygiene::noted(rows(answer, "provider_keys"));
        let empty = if concerns.is_any() { NONE_SUCH } else { NONE };
        view::table(&keys, COLUMNS, empty)
    })
}

/// With where the ids are, if there is no key of this one.
fn hinted(failure: Failure) -> Failure {
    match Refusal::of(&failure).is_some_and(|refusal| refusal.code == "not_found") {
        true => failure.hint(
            "It takes a key's whole id: `keyward keys list` shows those of yours, with `--owner` \
             others' that you may manage.",
        ),
        false => failure,
    }
}

fn act(action: Action, context: &Context) -> Outcome {
    match action {
        Action::List {
            owner,
            provider,
            concerns,
        } => list(&owner, provider.as_deref(), &concerns, context),
        Action::Get { id } => {
            let answer = context
                .client()?
                .send(&Request::get(&["provider-keys", &id]))?;
            context.output.show(&answer, view::resource)
        }
        Action::Update(update) => change::update(&update, context),
        Action::Rotate(rotate) => change::rotate(&rotate, context),
        Action::Test(test) => test::run(&test, context),
        Action::Enable { id, how } => change::enable(&id, true, how, context),
        Action::Disable { id, how } => change::enable(&id, false, how, context),
        Action::Delete { id, removal } => change::delete(&id, removal, context),
        Action::Add(add) => add::run(&add, context),
        Action::Import(import) => import::run(&import, context),
    }
}
