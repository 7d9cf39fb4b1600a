//! `keyward prices estimate`: the cost calculator.

use clap::Args;
use serde_json::{Value, json};

use super::units::count;
use crate::cli::client::{Refusal, Request, rows};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::table::Table;
use crate::cli::view::{self, Column, Kind};

/// What would be used.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward prices estimate openai/gpt-4o --input 100M --output 0
  keyward prices estimate openai/gpt-4o --input 10k --output 500 --tier professional

Counts may end in k, M or B. Nothing is sent to a provider, and nothing is charged.")]
pub(super) struct Estimate {
    /// The model
    model: String,
    /// Tokens of prompts, without those that another option counts
    #[arg(long, value_name = "COUNT", value_parser = count, default_value = "0")]
    input: u64,
    /// Tokens of answers, without those that another option counts
    #[arg(long, value_name = "COUNT", value_parser = count, default_value = "0")]
    output: u64,
    /// Tokens of prompts that are read from the provider's cache
    #[arg(long, value_name = "COUNT", value_parser = count)]
    cache_read: Option<u64>,
    /// Tokens written to the provider's cache for five minutes
    #[arg(long, value_name = "COUNT", value_parser = count)]
    cache_write_5m: Option<u64>,
    /// Tokens written to it for an hour
    #[arg(long, value_name = "COUNT", value_parser = count)]
    cache_write_1h: Option<u64>,
    /// Tokens of reasoning
    #[arg(long, value_name = "COUNT", value_parser = count)]
    reasoning: Option<u64>,
    /// Tokens of audio in prompts
    #[arg(long, value_name = "COUNT", value_parser = count)]
    input_audio: Option<u64>,
    /// Tokens of images in prompts
    #[arg(long, value_name = "COUNT", value_parser = count)]
    input_image: Option<u64>,
    /// Tokens of audio that is made
    #[arg(long, value_name = "COUNT", value_parser = count)]
    output_audio: Option<u64>,
    /// Tokens of images that are made
    #[arg(long, value_name = "COUNT", value_parser = count)]
    output_image: Option<u64>,
    /// Images that are made
    #[arg(long, value_name = "COUNT", value_parser = count)]
    images: Option<u64>,
    /// Searches
    #[arg(long, value_name = "COUNT", value_parser = count)]
    searches: Option<u64>,
    /// Milliseconds of audio, heard or made
    #[arg(long, value_name = "COUNT", value_parser = count)]
    audio_ms: Option<u64>,
    /// Characters that are spoken
    #[arg(long, value_name = "COUNT", value_parser = count)]
    characters: Option<u64>,
    /// The provider, where several serve the model
    #[arg(long)]
    provider: Option<String>,
    /// The tier; your own by default
    #[arg(long)]
    tier: Option<String>,
    /// The provider's service tier, such as batch or flex
    #[arg(long)]
    service_tier: Option<String>,
}

impl Estimate {
    fn request(&self) -> Request {
        Request::post(&["costs", "estimate"])
            .member("model", Some(self.model.as_str()))
            .member("provider", self.provider.as_deref())
            .member("tier", self.tier.as_deref())
            .member("service_tier", self.service_tier.as_deref())
            .member("input_tokens", Some(self.input))
            .member("output_tokens", Some(self.output))
            .member("cache_read_tokens", self.cache_read)
            .member("cache_write_5m_tokens", self.cache_write_5m)
            .member("cache_write_1h_tokens", self.cache_write_1h)
            .member("reasoning_tokens", self.reasoning)
            .member("input_audio_tokens", self.input_audio)
            .member("input_image_tokens", self.input_image)
            .member("output_audio_tokens", self.output_audio)
            .member("output_image_tokens", self.output_image)
            .member("images", self.images)
            .member("searches", self.searches)
            .member("audio_ms", self.audio_ms)
            .member("characters", self.characters)
    }

    /// With where names are found, if one is not there.
    fn hinted(&self, failure: Failure) -> Failure {
        let is_unknown = Refusal::of(&failure).is_some_and(|refusal| refusal.code == "not_found");
        match (is_unknown, &self.tier) {
            (true, Some(_)) => failure
                .hint("`keyward tiers list` names the tiers, `keyward prices list` the models."),
            (true, None) => failure.hint("`keyward prices list` names the models."),
            (false, _) => failure,
        }
    }
}

pub(super) fn run(estimate: &Estimate, context: &Context) -> Outcome {
    let answer = context.client()?.send(&estimate.request());
    let answer = answer.map_err(|failure| estimate.hinted(failure))?;
    context.output.show(&answer, table)?;
    let said = |member: &str| view::plain(member, &answer[member]);
    context.output.note(format_args!(
        "{} at {}, prices of version {}; yours is the tier {}. Amounts in credits.",
        said("model"),
        said("provider"),
        said("price_version"),
        said("tier"),
    ));
    Ok(Exit::Done)
}

/// Each tier, and an own key: at the bottom, where it is seen.
fn table(answer: &Value) -> Table {
    const COLUMNS: &[Column] = &[
        Column("tier", "tier", Kind::Text),
        Column("list cost", "list_cost", Kind::Number),
        Column("markup", "markup", Kind::Number),
        Column("charge", "charge", Kind::Number),
    ];
    let mut lines = rows(answer, "tiers").to_vec();
    for line in &mut lines {
        line["list_cost"] = answer["list_cost"].clone();
    }
    lines.push(json!({
        "tier": "your own key",
        "list_cost": answer["own_key"]["list_cost"],
        "charge": answer["own_key"]["charge"],
    }));
    view::table(&lines, COLUMNS, "")
}
