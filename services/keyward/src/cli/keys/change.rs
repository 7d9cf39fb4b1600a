//! `keyward keys update`, `rotate`, `enable`, `disable`, `delete`.

use clap::Args;
use serde_json::Value;

use super::secret::Source;
use crate::cli::arguments::{DryRun, Removal};
use crate::cli::client::Request;
use crate::cli::context::Context;
use crate::cli::exit::{Failure, Outcome};

/// What can be changed without the secret.
#[derive(Debug, Args)]
pub(super) struct Update {
    /// Its id
    id: String,
    /// What to know it by
    #[arg(long)]
    label: Option<String>,
    /// Its weight among an owner's keys of one provider
    #[arg(long)]
    weight: Option<u32>,
    /// When it stops serving, such as 2027-01-31T12:00:00Z; `never` to make it last
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    #[command(flatten)]
    how: DryRun,
}

/// A new secret.
#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// Its id
    id: String,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    how: DryRun,
}

pub(super) fn update(update: Update, context: &Context) -> Outcome {
    let expires_at = update.expires_at.map(|time| match time.as_str() {
        "never" => Value::Null,
        _ => time.into(),
    });
    let request = Request::patch(&["provider-keys", &update.id])
        .member("label", update.label)
        .member("weight", update.weight)
        .member("expires_at", expires_at);
    if request.is_empty() {
        let message = "nothing was given to change";
        return Err(Failure::usage(message).hint("Give `--label`, `--weight` or `--expires-at`."));
    }
    let client = context.client()?;
    context.show_change(&client, &request, update.how.dry_run, |_| {
        "Changed.".to_owned()
    })
}

pub(super) fn rotate(rotate: &Rotate, context: &Context) -> Outcome {
    let client = context.client()?;
    // Asked for first: nobody shall be asked for the secret of a key that is not there.
    let key = client.send(&Request::get(&["provider-keys", &rotate.id]))?;
    let provider = key["provider"].as_str().unwrap_or("the provider");
    let secret = rotate.source.read(provider, context)?;
    let request = Request::post(&["provider-keys", &rotate.id, "rotate"]).secret("key", secret);
    context.show_change(&client, &request, rotate.how.dry_run, |_| {
        "The new secret serves from now on; requests in flight finish with the old one.\n\
         Next: revoke the old one at the provider."
            .to_owned()
    })
}

pub(super) fn enable(id: &str, enabled: bool, how: DryRun, context: &Context) -> Outcome {
    let request = Request::patch(&["provider-keys", id]).member("enabled", Some(enabled));
    let client = context.client()?;
    context.show_change(&client, &request, how.dry_run, |_| {
        match enabled {
            true => "It serves again.",
            false => "It serves no more. `keyward keys enable` lets it serve again.",
        }
        .to_owned()
    })
}

pub(super) fn delete(id: &str, removal: Removal, context: &Context) -> Outcome {
    let client = context.client()?;
    let key = client.send(&Request::get(&["provider-keys", id]))?;
    let said = |member: &str| key[member].as_str().unwrap_or_default().to_owned();
    let what = format!(
        "This deletes the {} key {} ({}), for good: its ciphertext is overwritten, and what it \
         served is served by the next key, or refused.",
        said("provider"),
        said("masked_key"),
        said("label"),
    );
    let request = Request::delete(&["provider-keys", id]);
    let done = "Deleted. It still works at the provider: revoke it there if nothing else uses it.";
    context.remove(&client, &request, removal, &what, done)
}
