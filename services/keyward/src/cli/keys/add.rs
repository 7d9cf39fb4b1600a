//! `keyward keys add`.

use clap::Args;
use serde_json::{Map, Value};

use super::owner::KeyOwner;
use super::secret::Source;
use crate::cli::arguments::DryRun;
use crate::cli::client::{Refusal, Request};
use crate::cli::context::Context;
use crate::cli::exit::{Failure, Outcome};

/// A new provider key.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward keys add openai --label work
  keyward keys add openrouter --key-env OPENROUTER_API_KEY
  keyward keys add azure --endpoint https://mine.openai.azure.com --api-version 2025-04-01-preview
  keyward keys add openai --project web --organization acme --key-file openai.key

`keyward providers list` names the providers, and says where to get a key.")]
pub(super) struct Add {
    /// The provider, such as openai or openrouter
    provider: String,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    owner: KeyOwner,
    /// What to know it by
    #[arg(long)]
    label: Option<String>,
    /// Where its requests go, if not to the provider's own address
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Azure: the resource's address
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Azure: the version of its API
    #[arg(long, value_name = "VERSION")]
    api_version: Option<String>,
    /// Azure: the deployment that serves a model; can be repeated
    #[arg(long = "deployment", value_name = "MODEL=DEPLOYMENT", value_parser = pair)]
    deployments: Vec<(String, String)>,
    /// When it stops serving, such as 2027-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// Its weight among an owner's keys of one provider
    #[arg(long)]
    weight: Option<u32>,
    /// The models that it may serve, with `*` for anything; commas between several
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    allowed_models: Vec<String>,
    /// The users whom it may serve, for keys of organizations; commas between several
    #[arg(long, value_name = "USERS", value_delimiter = ',')]
    allowed_users: Vec<String>,
    /// Accept a key that does not look like one of this provider
    #[arg(long)]
    skip_format_check: bool,
    #[command(flatten)]
    how: DryRun,
}

impl Add {
    fn request(&self) -> Request {
        let request = Request::post(&["provider-keys"])
            .member("provider", Some(self.provider.clone()))
            .member("label", self.label.clone())
            .member("base_url", self.base_url.clone())
            .member("settings", self.settings())
            .member("expires_at", self.expires_at.clone())
            .member("weight", self.weight)
            .member("allowed_models", some(&self.allowed_models))
            .member("allowed_users", some(&self.allowed_users));
        self.owner.query(request)
    }

    fn settings(&self) -> Option<Map<String, Value>> {
        let deployments = self.deployments.iter();
        let deployments: Map<String, Value> = deployments
            .map(|(model, deployment)| (model.clone(), deployment.clone().into()))
            .collect();
        let settings = [
            ("endpoint", self.endpoint.clone().map(Value::from)),
            ("api_version", self.api_version.clone().map(Value::from)),
            (
                "deployments",
                Some(deployments)
                    .filter(|all| !all.is_empty())
                    .map(Value::from),
            ),
            (
                "skip_format_check",
                self.skip_format_check.then_some(true.into()),
            ),
        ];
        let given = settings.into_iter();
        let given = given.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Some(given.collect()).filter(|given: &Map<String, Value>| !given.is_empty())
    }
}

fn some(names: &[String]) -> Option<Vec<String>> {
    Some(names.to_vec()).filter(|names| !names.is_empty())
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((model, deployment)) => Ok((model.to_owned(), deployment.to_owned())),
        None => Err("expected MODEL=DEPLOYMENT"),
    }
}

pub(super) fn run(add: &Add, context: &Context) -> Outcome {
    let secret = add.source.read(&add.provider, context)?;
    let client = context.client()?;
    let request = add.request().secret("key", secret);
    let next = |_: &_| {
        let provider = &add.provider;
        format!("Next: `keyward routes explain MODEL` says what the {provider} key serves.")
    };
    let done = context
        .show_change(&client, &request, add.how.dry_run, next)
        .map_err(hinted)?;
    if add.how.dry_run {
        context
            .output
            .note("The gateway checks the key's form when it gets it.");
    }
    Ok(done)
}

/// With what to do about the refusals that people meet most.
fn hinted(failure: Failure) -> Failure {
    match Refusal::of(&failure).map(|refusal| refusal.code.as_str()) {
        Some("already_exists") => failure.hint("`keyward keys list` shows it."),
        Some("not_found" | "invalid_request") => {
            failure.hint("`keyward providers list` names the providers and the form of their keys.")
        }
        _ => failure,
    }
}
