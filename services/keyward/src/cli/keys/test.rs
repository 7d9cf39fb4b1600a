//! `keyward keys test`: whether a key works, stored or not added yet.

use clap::Args;
use serde_json::{Map, Value};

use super::secret::Source;
use crate::cli::client::Request;
use crate::cli::context::Context;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::view;

/// Which key.
#[derive(Debug, Args)]
#[command(after_help = "\
The provider is asked by its cheapest call. A good test clears an error of a stored key; one that
is refused is marked. Of a key that is not added, nothing is kept. At most ten tests a minute.

Examples:
  keyward keys test ID
  keyward keys test --provider openai                           asks for the key
  keyward keys test --provider openai --key-env OPENAI_API_KEY
  pass show openrouter | keyward keys test --provider openrouter --key-file -")]
pub(super) struct Test {
    /// The id of a stored key
    #[arg(required_unless_present = "provider", conflicts_with = "provider")]
    id: Option<String>,
    /// The provider of a key that is not added
    #[arg(long)]
    provider: Option<String>,
    #[command(flatten)]
    source: Source,
    /// Where its requests would go, if not to the provider's own address
    #[arg(long, value_name = "URL", requires = "provider")]
    base_url: Option<String>,
    /// Azure: the resource's address
    #[arg(long, value_name = "URL", requires = "provider")]
    endpoint: Option<String>,
    /// Azure: the version of its API
    #[arg(long, value_name = "VERSION", requires = "provider")]
    api_version: Option<String>,
}

impl Test {
    fn settings(&self) -> Option<Map<String, Value>> {
        let settings = [
            ("endpoint", &self.endpoint),
            ("api_version", &self.api_version),
        ];
        let given = settings.into_iter();
        let given = given.filter_map(|(name, value)| {
            let value = value.clone()?;
            Some((name.to_owned(), Value::from(value)))
        });
        Some(given.collect()).filter(|given: &Map<String, Value>| !given.is_empty())
    }

    fn request(&self, context: &Context) -> Result<Request, Failure> {
        if let Some(id) = &self.id {
            return Ok(Request::post(&["provider-keys", id, "test"]));
        }
        let provider = self.provider.as_deref().unwrap_or_default();
        let secret = self.source.read(provider, context)?;
        Ok(Request::post(&["provider-keys", "test"])
            .member("provider", Some(provider.to_owned()))
            .member("base_url", self.base_url.clone())
            .member("settings", self.settings())
            .secret("key", secret))
    }
}

pub(super) fn run(test: &Test, context: &Context) -> Outcome {
    let request = test.request(context)?;
    let answer = context.client()?.send(&request)?;
    context.output.show(&answer, view::resource)
}
