//! Changes for people: how many of which kind at which provider, then the changes themselves.

use std::collections::BTreeMap;

use serde_json::Value;

use super::present;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::table::{Align, Table};

/// As many changes as can be read before a question is answered.
const ROWS_MAX: usize = 40;

/// How many changes of a provider there are.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    added: usize,
    removed: usize,
    prices: usize,
    held_back: usize,
}

/// Shows a summary, and below it the first changes or all of them.
pub(super) fn tell(changes: &[Value], all: bool, empty: &str, context: &Context) -> Outcome {
    let output = context.output;
    if !changes.is_empty() {
        output.show(&Value::Null, |_| table(&by_provider(changes)))?;
        output.line("")?;
    }
    let length = if all { changes.len() } else { ROWS_MAX };
    let shown = changes.get(..length).unwrap_or(changes);
    output.show(&Value::Null, |_| present::table(shown, empty))?;
    let more = changes.len() - shown.len();
    if more > 0 {
        output.note(format!("{more} more changes: say `--all` to see them."));
    }
    Ok(Exit::Done)
}

fn by_provider(changes: &[Value]) -> BTreeMap<&str, Counts> {
    let mut counts: BTreeMap<&str, Counts> = BTreeMap::new();
    for change in changes {
        let provider = change["provider"].as_str().unwrap_or_default();
        let counts = counts.entry(provider).or_default();
        let count = match change["change"].as_str() {
            _ if !change["reason"].is_null() => &mut counts.held_back,
            Some("added") => &mut counts.added,
            Some("removed") => &mut counts.removed,
            _ => &mut counts.prices,
        };
        *count += 1;
    }
    counts
}

fn table(counts: &BTreeMap<&str, Counts>) -> Table {
    let columns = [
        ("provider", Align::Left),
        ("added", Align::Right),
        ("removed", Align::Right),
        ("prices", Align::Right),
        ("held back", Align::Right),
    ];
    let mut table = Table::new(&columns, "");
    for (provider, counts) in counts {
        let numbers = [
            counts.added,
            counts.removed,
            counts.prices,
            counts.held_back,
        ];
        let [added, removed, prices, held_back] = numbers.map(|it| it.to_string().into());
        table.row([
            (*provider).to_owned().into(),
            added,
            removed,
            prices,
            held_back,
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_counted_by_provider_and_kind() {
        let changes = [
            json!({"provider": "groq", "change": "added"}),
            json!({"provider": "groq", "change": "price", "price": "input"}),
            json!({"provider": "groq", "change": "price", "price": "output"}),
            json!({"provider": "groq", "change": "removed", "reason": "most are missing"}),
            json!({"provider": "cohere", "change": "removed"}),
        ];
        let counts = by_provider(&changes);
        let groq = Counts {
            added: 1,
            removed: 0,
            prices: 2,
            held_back: 1,
        };
        assert_eq!(counts["groq"], groq);
        assert_eq!(counts["cohere"].removed, 1);
        assert_eq!(counts.len(), 2);
    }
}
