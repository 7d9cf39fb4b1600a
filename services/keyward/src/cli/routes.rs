//! `keyward routes`: who would serve a model, and what policies allow of that.

mod policy;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::{Request, rows};
use super::context::Context;
use super::exit::{Failure, Outcome};
use super::table::{Align, Cell, Table, Tone};
use super::view;

/// What is asked about routing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward routes explain openai/gpt-4o
  keyward routes explain auto --task code
  keyward routes explain openai/gpt-4o --models groq/llama-3.3-70b --provider '{\"sort\": \"price\"}'
  keyward routes policy get --organization acme")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say who would serve a model, in which order, and why; nothing is sent or charged
    Explain(Explain),
    /// Read and write routing policies
    Policy(policy::Arguments),
}

#[derive(Debug, Args)]
struct Explain {
    /// The model, such as openai/gpt-4o, or `auto`
    model: String,
    /// The endpoint; the model's first by default
    #[arg(long)]
    endpoint: Option<String>,
    /// What it is for, where the model is `auto`: code, reasoning, chat, embeddings or vision
    #[arg(long)]
    task: Option<String>,
    /// Models that may serve in its stead, in order
    #[arg(long, value_name = "MODEL", value_delimiter = ',')]
    models: Vec<String>,
    /// What a request's `provider` would say
    #[arg(long, value_name = "JSON")]
    provider: Option<String>,
}

impl Explain {
    fn request(self) -> Result<Request, Failure> {
        let provider = self.provider.map(|json| {
            let read = serde_json::from_str::<Value>(&json);
            read.map_err(|error| Failure::usage(format!("--provider is no JSON: {error}")))
        });
        let models = Some(self.models).filter(|models| !models.is_empty());
        let request = Request::post(&["routes", "explain"])
            .member("model", Some(self.model))
            .member("endpoint", self.endpoint)
            .member("task", self.task)
            .member("models", models)
            .member("provider", provider.transpose()?);
        Ok(request)
    }
}

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    match arguments.action {
        Action::Explain(explain) => {
            let answer = context.client()?.send(&explain.request()?)?;
            context.output.show(&answer, table)
        }
        Action::Policy(arguments) => policy::run(arguments, context),
    }
}

fn table(answer: &Value) -> Table {
    let columns = ["turn", "provider", "model", "key", "key id", "reason"];
    let columns = columns.map(|name| (name, Align::Left));
    let mut table = Table::new(&columns, "Nothing can serve it.");
    for candidate in rows(answer, "candidates") {
        let is = |member: &str| candidate[member].as_bool() == Some(true);
        let mark = match (is("chosen"), is("eligible")) {
            (true, _) => Cell::new("serves", Tone::Good),
            (false, true) => "then".into(),
            (false, false) => Cell::new("no", Tone::Warning),
        };
        let said = |member: &str| Cell::from(view::plain(member, &candidate[member]));
        let rest = ["provider", "model", "key_source", "key_id", "reason"].map(said);
        table.row(std::iter::once(mark).chain(rest));
    }
    table
}
