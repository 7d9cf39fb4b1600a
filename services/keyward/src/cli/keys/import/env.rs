//! `keyward keys import --env`: provider keys of a `.env` file are taken over, and none is shown.
//! Doing it again goes on where it stopped: what is there already stays as it is.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::Import;
use crate::cli::client::{Client, Refusal, Request};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::keys::dotenv::{self, Found};
use crate::cli::view::{self, Column, Kind};

/// What a dry run leaves open.
const UNCHECKED: &str = "Nothing was sent. The gateway checks each key's form when it gets it.";

/// Keys from this length on show their last characters.
const MASKED_LENGTH_MIN: usize = 20;

const COLUMNS: &[Column] = &[
    Column("provider", "provider", Kind::Text),
    Column("variable", "variable", Kind::Text),
    Column("key", "masked_key", Kind::Text),
    Column("result", "result", Kind::Status),
    Column("id", "id", Kind::Text),
    Column("reason", "reason", Kind::Text),
];

/// What became of one key.
enum Taken {
    Added(Value),
    AlreadyThere,
    WouldBeSent,
    Refused(String),
    NotTried,
}

impl Taken {
    fn is_good(&self) -> bool {
        matches!(
            self,
            Self::Added(_) | Self::AlreadyThere | Self::WouldBeSent
        )
    }

    fn row(&self, found: &Found) -> Value {
        let (result, id, masked, reason) = match self {
            Self::Added(made) => (
                "added",
                made["id"].clone(),
                made["masked_key"].clone(),
                None,
            ),
            Self::AlreadyThere => ("already_there", Value::Null, Value::Null, None),
            Self::WouldBeSent => ("would_be_sent", Value::Null, Value::Null, None),
            Self::Refused(reason) => ("refused", Value::Null, Value::Null, Some(reason.as_str())),
            Self::NotTried => ("not_tried", Value::Null, Value::Null, None),
        };
        let masked = masked
            .as_str()
            .map_or_else(|| mask(found.key.expose()), str::to_owned);
        json!({
            "provider": found.provider,
            "variable": found.variable,
            "masked_key": masked,
            "result": result,
            "id": id,
            "reason": reason,
        })
    }
}

pub(super) fn run(file: &Path, import: &Import, context: &Context) -> Outcome {
    let contents = dotenv::read(file)?;
    if !contents.unreadable_lines.is_empty() {
        let lines = contents.unreadable_lines.iter();
        let lines: Vec<String> = lines.map(usize::to_string).collect();
        context.output.note(format_args!(
            "Lines of {} that are no NAME=value, and are left out: line {}.",
            file.display(),
            lines.join(", line ")
        ));
    }
    if contents.found.is_empty() {
        let message = format!("there is no provider key in {}", file.display());
        let hint = format!("These variables are known: {}.", dotenv::known_names());
        return Err(Failure::refused(message).hint(hint));
    }
    let taken = take_all(import, &contents.found, context)?;
    let rows: Vec<Value> = taken
        .iter()
        .zip(&contents.found)
        .map(|(taken, found)| taken.row(found))
        .collect();
    let data = json!({"imported": rows});
    context
        .output
        .show(&data, |data| view::list(data, "imported", COLUMNS, ""))?;
    let good = taken.iter().filter(|taken| taken.is_good()).count();
    if good == taken.len() {
        let file = file.display();
        match import.dry_run {
            true => context.output.note(UNCHECKED),
            false => context
                .output
                .note(format_args!("Next: take the keys out of {file}.")),
        }
        return Ok(Exit::Done);
    }
    context
        .output
        .note("Some keys were not taken over. Mend what is said, and run it again.");
    Ok(Exit::Partly)
}

/// Takes over one after the other. Where the gateway goes away, the rest is not tried.
fn take_all(import: &Import, found: &[Found], context: &Context) -> Result<Vec<Taken>, Failure> {
    if import.dry_run {
        return Ok(found.iter().map(|_| Taken::WouldBeSent).collect());
    }
    let client = context.client()?;
    let mut all = Vec::new();
    for one in found {
        match take(import, one, &client) {
            Ok(taken) => all.push(taken),
            // Nothing was done yet: it is a failure like any other.
            Err(failure) if all.is_empty() => return Err(failure),
            Err(failure) => {
                failure.told();
                break;
            }
        }
    }
    all.resize_with(found.len(), || Taken::NotTried);
    Ok(all)
}

fn take(import: &Import, found: &Found, client: &Client) -> Result<Taken, Failure> {
    let request = Request::post(&["provider-keys"])
        .member("provider", Some(found.provider))
        .member("label", Some(found.variable))
        .member("base_url", found.base_url.clone())
        .member("settings", settings(found))
        .secret("key", found.key.clone());
    match client.send(&import.owner.query(request)) {
        Ok(made) => Ok(Taken::Added(made)),
        Err(failure) => match Refusal::of(&failure) {
            Some(refusal) if refusal.code == "already_exists" => Ok(Taken::AlreadyThere),
            Some(refusal) if refusal.is_about_this() => Ok(Taken::Refused(refusal.to_string())),
            _ => Err(failure),
        },
    }
}

fn settings(found: &Found) -> Option<Map<String, Value>> {
    let settings = [
        ("endpoint", &found.endpoint),
        ("api_version", &found.api_version),
    ];
    let given = settings.into_iter();
    let given = given.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into())));
    Some(given.collect()).filter(|given: &Map<String, Value>| !given.is_empty())
}

/// The last characters of a key that is long enough to show them.
fn mask(key: &str) -> String {
    let characters: Vec<char> = key.chars().collect();
    match characters.len() {
        length if length >= MASKED_LENGTH_MIN => {
            let end: String = characters[length - 4..].iter().collect();
            format!("…{end}")
        }
        _ => "••••".to_owned(),
    }
}
