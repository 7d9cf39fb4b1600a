//! `keyward keys import --fernet-token`: one Fernet token, from a file or standard input.

use std::path::Path;

use clap::Args;
use serde_json::{Map, Value};

use super::Import;
use crate::cli::client::{Refusal, Request};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::keys::secret;
use crate::cli::view;

/// What is to be known of the key in a token.
#[derive(Debug, Args)]
pub(super) struct Details {
    /// The provider that the token's key is for
    #[arg(long, requires = "fernet_token")]
    provider: Option<String>,
    /// What to know it by
    #[arg(long, requires = "fernet_token")]
    label: Option<String>,
    /// Where its requests go, if not to the provider's own address
    #[arg(long, value_name = "URL", requires = "fernet_token")]
    base_url: Option<String>,
    /// Azure: the resource's address
    #[arg(long, value_name = "URL", requires = "fernet_token")]
    endpoint: Option<String>,
    /// Azure: the version of its API
    #[arg(long, value_name = "VERSION", requires = "fernet_token")]
    api_version: Option<String>,
}

impl Details {
    fn add_to(&self, request: Request) -> Request {
        let settings = [
            ("endpoint", &self.endpoint),
            ("api_version", &self.api_version),
        ];
        let settings: Map<String, Value> = settings
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())))
            .collect();
        request
            .member("provider", self.provider.clone())
            .member("label", self.label.clone())
            .member("base_url", self.base_url.clone())
            .member("settings", Some(settings).filter(|all| !all.is_empty()))
    }
}

pub(super) fn run(file: &Path, import: &Import, context: &Context) -> Outcome {
    // The name is not repeated: some give the token itself in its place.
    let token = secret::from_file(file).map_err(|_| {
        Failure::refused("the token's file cannot be read")
            .hint("`--fernet-token` takes the name of a file, or `-` for standard input.")
    })?;
    let request = import.details.add_to(import.request());
    let request = request.secret("fernet_token", token);
    let answer = context.client()?.send(&request).map_err(hinted)?;
    context.output.show(&answer, view::resource)?;
    context.output.note(match import.dry_run {
        true => "Nothing was stored: this is what it would be.",
        false => "Next: take the token out of where it was kept.",
    });
    Ok(Exit::Done)
}

fn hinted(failure: Failure) -> Failure {
    let Some(refusal) = Refusal::of(&failure) else {
        return failure;
    };
    if refusal.code == "already_exists" {
        return failure.hint("`keyward keys list` shows it.");
    }
    match refusal.is_about_field("fernet_token") {
        true => failure.hint(
            "The vault tries the keys of its setting `vault.fernet_keys`.\n\
             `--lenient` takes tokens with something in them that is no base64.",
        ),
        false => failure,
    }
}
