//! `keyward vault`: the master keys that guard all others, and the seal.

mod keks;
mod rewrap;

use clap::{Args, Subcommand};

use super::arguments::Removal;
use super::ask;
use super::client::Request;
use super::context::Context;
use super::exit::Outcome;
use super::view;

/// What is done with the vault.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward vault status
  keyward vault keks list
  keyward vault seal --reason 'a stolen laptop'

Your access key needs the scope `admin`. docs/master-keys.md says how master keys are rotated.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show whether it is sealed, and which master key is active
    Status,
    /// Open no key until it is unsealed; drop what is in memory
    Seal {
        /// Why, for the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        how: Removal,
    },
    /// Read the master keys again and open keys
    Unseal {
        /// Why, for the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// See and change the master keys: which wraps, which is still needed, which ends
    Keks(keks::Arguments),
}

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    let client = context.client()?;
    let because = |reason: Option<String>| Some(reason.unwrap_or_default());
    match arguments.action {
        Action::Status => {
            let answer = client.send(&Request::get(&["vault"]))?;
            context.output.show(&answer, view::resource)
        }
        Action::Seal { reason, how } => {
            let what = "This seals the vault: no request with a stored key is served until it is \
                        unsealed.";
            if !how.yes && !how.dry_run {
                ask::go_on(context, what, "this stops requests at once")?;
            }
            let request = Request::post(&["vault", "seal"]).member("reason", because(reason));
            context.show_change(
                &client,
                &request,
                how.dry_run,
                |answer| match answer["laggards"].as_u64() {
                    Some(0) | None => "Sealed.".to_owned(),
                    Some(count) => format!(
                        "Sealed. {count} routers have not confirmed yet; they drop what they hold \
                         within `vault.revocation_bound`."
                    ),
                },
            )
        }
        Action::Unseal { reason } => {
            let request = Request::post(&["vault", "unseal"]).member("reason", because(reason));
            context.show_change(&client, &request, false, |_| "Unsealed.".to_owned())
        }
        Action::Keks(arguments) => keks::run(arguments, &client, context),
    }
}
