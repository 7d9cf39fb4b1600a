//! `keyward keys update`, `rotate`, `enable`, `disable`, `delete`.

use clap::Args;
use serde_json::Value;

use super::secret::Source;
use crate::cli::arguments::{DryRun, Removal};
use crate::cli::client::{Client, Request};
use crate::cli::context::Context;
use crate::cli::exit::{Failure, Outcome};

/// What can be changed: with the key entered again also where it is sent.
#[derive(Debug, Args)]
#[command(after_help = "\
A key is sealed for where it is sent. Another address, endpoint or API version needs the key again,
which is asked for, or taken from where `--key-file`, `--key-env` or `-` says.

Examples:
  keyward keys update ID --label work --expires-at never
  keyward keys update ID --base-url https://llm.example/v1 --key-env MY_KEY")]
pub(super) struct Update {
    /// Its id
    id: String,
    /// What to know it by
    #[arg(long)]
    label: Option<String>,
    /// Its weight among an owner's keys of one provider
    #[arg(long)]
    weight: Option<u32>,
    /// The models that it may serve, with `*` for anything; commas between several, `any` for all
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    allowed_models: Vec<String>,
    /// The users whom it may serve, for keys of organizations; commas between several, `any` for all
    #[arg(long, value_name = "USERS", value_delimiter = ',')]
    allowed_users: Vec<String>,
    /// When it stops serving, such as 2027-01-31T12:00:00Z; `never` to make it last
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// Where its requests go; an empty one for the provider's own address
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Azure: the resource's address
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Azure: the version of its API
    #[arg(long, value_name = "VERSION")]
    api_version: Option<String>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    how: DryRun,
}

impl Update {
    fn is_retarget(&self) -> bool {
        self.base_url.is_some() || self.endpoint.is_some() || self.api_version.is_some()
    }

    /// All the settings, of which the API takes all or none.
    fn settings(&self, key: &Value) -> Option<Value> {
        if self.endpoint.is_none() && self.api_version.is_none() {
            return None;
        }
        let mut settings = key["settings"].clone();
        for (name, given) in [
            ("endpoint", &self.endpoint),
            ("api_version", &self.api_version),
        ] {
            if let Some(given) = given {
                settings[name] = given.clone().into();
            }
        }
        Some(settings)
    }

    /// The same request, with where the key is sent, and the key.
    fn retarget(
        &self,
        request: Request,
        client: &Client,
        context: &Context,
    ) -> Result<Request, Failure> {
        let key = client.send(&Request::get(&["provider-keys", &self.id]))?;
        let provider = key["provider"].as_str().unwrap_or("the provider");
        let secret = self.source.read(provider, context)?;
        Ok(request
            .member("base_url", self.base_url.clone())
            .member("settings", self.settings(&key))
            .secret("key", secret))
    }
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

pub(super) fn update(update: &Update, context: &Context) -> Outcome {
    let expires_at = update.expires_at.clone().map(|time| match time.as_str() {
        "never" => Value::Null,
        _ => time.into(),
    });
    let request = Request::patch(&["provider-keys", &update.id])
        .member("label", update.label.clone())
        .member("weight", update.weight)
        .member("allowed_models", limited_to(&update.allowed_models))
        .member("allowed_users", limited_to(&update.allowed_users))
        .member("expires_at", expires_at);
    if request.is_empty() && !update.is_retarget() {
        let message = "nothing was given to change";
        return Err(Failure::usage(message).hint(
            "Give `--label`, `--weight`, `--expires-at`, what it may serve, or where it is sent.",
        ));
    }
    let client = context.client()?;
    let request = match update.is_retarget() {
        true => update.retarget(request, &client, context)?,
        false => request,
    };
    context.show_change(&client, &request, update.how.dry_run, |_| {
        "Changed.".to_owned()
    })
}

/// The new list; `null`, which does not limit, for `any`.
fn limited_to(names: &[String]) -> Option<Value> {
    match names {
        [] => None,
        [any] if any == "any" => Some(Value::Null),
        names => Some(names.into()),
    }
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
