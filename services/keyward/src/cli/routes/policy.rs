//! `keyward routes policy`: what an organisation, a project or a user allows of routing. A policy is
//! shown as the JSON that it is written as.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::cli::client::Request;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};

/// What is done with a policy.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward routes policy get > policy.json
  keyward routes policy set policy.json
  keyward routes policy change --organization acme --block-provider groq --credits forbidden
  keyward routes policy change --alias fast=openai/gpt-4o-mini --max-charge 0.05

Rules, tasks and the rest are written with `set`. Your access key needs the scope `keys`.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show one, as JSON
    Get {
        #[command(flatten)]
        whose: Whose,
    },
    /// Write one whole: what the file does not say takes its default
    Set {
        /// A file with the policy as JSON; `-` for standard input
        file: PathBuf,
        #[command(flatten)]
        whose: Whose,
        /// Show what would be sent, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Change some of one, and leave the rest
    Change(Box<Change>),
}

/// Whose policy it is.
#[derive(Debug, Args)]
struct Whose {
    /// An organisation's, or whose project's
    #[arg(long)]
    organization: Option<String>,
    /// A project's
    #[arg(long)]
    project: Option<String>,
    /// A user's, or whose project's; your own by default
    #[arg(long)]
    user: Option<String>,
}

impl Whose {
    fn named(&self, request: Request) -> Request {
        request
            .query("organization", self.organization.as_deref())
            .query("project", self.project.as_deref())
            .query("user", self.user.as_deref())
    }
}

#[derive(Debug, Args)]
struct Change {
    #[command(flatten)]
    whose: Whose,
    /// Which of the own keys goes first: openrouter or provider
    #[arg(long)]
    prefer: Option<String>,
    /// Whether the keys of users serve: allowed, forbidden or required
    #[arg(long)]
    own_keys: Option<String>,
    /// Whose keys go first: own or organization
    #[arg(long)]
    keys_first: Option<String>,
    /// What may serve at most where the first key fails: none, own-keys or credits
    #[arg(long)]
    fallback: Option<String>,
    /// The most that a fallback to credits may cost
    #[arg(long, value_name = "AMOUNT")]
    fallback_max_charge: Option<String>,
    /// Whether credits may be spent: allowed or forbidden
    #[arg(long)]
    credits: Option<String>,
    /// The most that any request may cost in credits
    #[arg(long, value_name = "AMOUNT")]
    max_charge: Option<String>,
    /// Call only these providers, beside those that are allowed already
    #[arg(long, value_name = "PROVIDER", value_delimiter = ',')]
    allow_provider: Vec<String>,
    /// Never call these providers
    #[arg(long, value_name = "PROVIDER", value_delimiter = ',')]
    block_provider: Vec<String>,
    /// Name only these models, beside those that are allowed already
    #[arg(long, value_name = "MODEL", value_delimiter = ',')]
    allow_model: Vec<String>,
    /// Never name these models
    #[arg(long, value_name = "MODEL", value_delimiter = ',')]
    block_model: Vec<String>,
    /// A name of its own for a model; `NAME=` takes it away
    #[arg(long, value_name = "NAME=MODEL")]
    alias: Vec<String>,
    /// Show what would be sent, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Change {
    /// Makes the changes; says whether there are any.
    fn apply(&self, policy: &mut Map<String, Value>) -> Result<bool, Failure> {
        let said = [
            ("prefer", &self.prefer),
            ("own_keys", &self.own_keys),
            ("keys_first", &self.keys_first),
            ("fallback", &self.fallback),
            ("fallback_max_charge", &self.fallback_max_charge),
            ("credits", &self.credits),
            ("max_charge", &self.max_charge),
        ];
        let lists = [
            ("providers", "allow", &self.allow_provider),
            ("providers", "block", &self.block_provider),
            ("models", "allow", &self.allow_model),
            ("models", "block", &self.block_model),
        ];
        let mut changes = !self.alias.is_empty();
        for (member, value) in said {
            if let Some(value) = value {
                policy.insert(member.to_owned(), json!(value));
                changes = true;
            }
        }
        for (member, list, names) in lists.into_iter().filter(|(.., names)| !names.is_empty()) {
            add(policy, (member, list), names);
            changes = true;
        }
        for alias in &self.alias {
            rename(policy, alias)?;
        }
        Ok(changes)
    }
}

/// Adds names to a list in a member, those that are not there yet.
fn add(policy: &mut Map<String, Value>, (member, list): (&str, &str), names: &[String]) {
    let member = policy.entry(member).or_insert_with(|| json!({}));
    let mut all = member[list].as_array().cloned().unwrap_or_default();
    for name in names {
        if !all.contains(&json!(name)) {
            all.push(json!(name));
        }
    }
    member[list] = Value::Array(all);
}

fn rename(policy: &mut Map<String, Value>, alias: &str) -> Result<(), Failure> {
    let (name, model) = alias
        .split_once('=')
        .ok_or_else(|| Failure::usage("an alias is given as `--alias NAME=MODEL`"))?;
    let aliases = policy.entry("aliases").or_insert_with(|| json!({}));
    match (aliases.as_object_mut(), model) {
        (Some(aliases), "") => drop(aliases.remove(name)),
        _ => aliases[name] = json!(model),
    }
    Ok(())
}

const PATH: &[&str] = &["routing-policy"];

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    match arguments.action {
        Action::Get { whose } => {
            let answer = context.client()?.send(&whose.named(Request::get(PATH)))?;
            show(context, &answer)
        }
        Action::Set {
            file,
            whose,
            dry_run,
        } => {
            let policy = object(read(&file)?)?;
            let request = whose.named(Request::put(PATH)).object(policy);
            put(context, &request, dry_run)
        }
        Action::Change(change) => {
            let (found, etag) = context
                .client()?
                .send_for_change(&change.whose.named(Request::get(PATH)))?;
            let mut policy = object(found)?;
            if !change.apply(&mut policy)? {
                return Err(Failure::usage("nothing was given to change"));
            }
            let request = change.whose.named(Request::put(PATH)).object(policy);
            put(context, &request.if_match(etag), change.dry_run)
        }
    }
}

fn put(context: &Context, request: &Request, dry_run: bool) -> Outcome {
    let client = context.client()?;
    let Some(answer) = context.change(&client, request, dry_run)? else {
        return Ok(Exit::Done);
    };
    let shown = show(context, &answer)?;
    context
        .output
        .note("It counts for requests that begin from now on.");
    Ok(shown)
}

/// As it is written: with `--json` and without.
fn show(context: &Context, policy: &Value) -> Outcome {
    context.output.line(format_args!("{policy:#}"))?;
    Ok(Exit::Done)
}

fn read(file: &Path) -> Result<Value, Failure> {
    let mut text = String::new();
    let read = match file == Path::new("-") {
        true => std::io::stdin().lock().read_to_string(&mut text).map(drop),
        false => std::fs::read_to_string(file).map(|read| text = read),
    };
    read.map_err(|error| Failure::refused(format!("{}: {error}", file.display())))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::refused(format!("{}: {error}", file.display())))
}

fn object(policy: Value) -> Result<Map<String, Value>, Failure> {
    match policy {
        Value::Object(policy) => Ok(policy),
        _ => Err(Failure::refused("a policy is a JSON object")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        change: Change,
    }

    fn changed(options: &[&str], policy: Value) -> (bool, Value) {
        let options = std::iter::once(&"change").chain(options);
        let change = Command::try_parse_from(options).unwrap().change;
        let mut policy = object(policy).unwrap();
        let changes = change.apply(&mut policy).unwrap();
        (changes, Value::Object(policy))
    }

    #[test]
    fn what_is_given_changes_and_the_rest_stays() {
        let before = json!({
            "prefer": "provider", "providers": {"allow": [], "block": ["groq"]},
            "aliases": {"old": "openai/gpt-4o"},
        });
        assert_eq!(changed(&[], before.clone()), (false, before.clone()));
        let options = [
            "--credits=forbidden",
            "--block-provider=groq,openai",
            "--alias=fast=openai/gpt-4o-mini",
            "--alias=old=",
        ];
        let after = json!({
            "prefer": "provider", "credits": "forbidden",
            "providers": {"allow": [], "block": ["groq", "openai"]},
            "aliases": {"fast": "openai/gpt-4o-mini"},
        });
        assert_eq!(changed(&options, before), (true, after));
    }
}
