//! What should be looked at of how keys are kept: a column in the list of keys, and which to list.

use clap::Args;
use serde_json::{Value, json};

/// Which keys to list by how they are kept; all where nothing is said, and those to which any of it
/// applies otherwise.
#[derive(Debug, Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
pub(super) struct Concerns {
    /// Those due for rotation: their secret was stored 90 days ago or more
    #[arg(long)]
    due: bool,
    /// Those that expire within 14 days
    #[arg(long)]
    expiring: bool,
    /// Those that have not been used for 30 days
    #[arg(long)]
    unused: bool,
    /// Those that their provider refuses
    #[arg(long)]
    failing: bool,
}

impl Concerns {
    fn asked(&self) -> [(bool, &'static str); 4] {
        [
            (self.due, "due"),
            (self.expiring, "expiring"),
            (self.unused, "unused"),
            (self.failing, "failing"),
        ]
    }

    /// Whether anything is said.
    pub(super) fn is_any(&self) -> bool {
        self.asked().iter().any(|(is_asked, _)| *is_asked)
    }

    /// Whether this key is to be listed.
    pub(super) fn include(&self, key: &Value) -> bool {
        let of_key = words(key);
        let asked = self.asked();
        !self.is_any()
            || asked
                .iter()
                .any(|(is_asked, word)| *is_asked && of_key.contains(word))
    }
}

/// What should be looked at of this key, in a word each.
fn words(key: &Value) -> Vec<&'static str> {
    let hygiene = &key["hygiene"];
    let is_true = |member: &str| hygiene[member] == true;
    let is_there = |member: &str| hygiene[member].is_string();
    [
        (is_true("rotation_due"), "due"),
        (is_true("expiring"), "expiring"),
        (is_there("unused_since"), "unused"),
        (is_there("failing_since"), "failing"),
    ]
    .into_iter()
    .filter_map(|(holds, word)| holds.then_some(word))
    .collect()
}

/// The keys, each with these words as a member of its own.
pub(super) fn noted(keys: &[Value]) -> Vec<Value> {
    let mut keys = keys.to_vec();
    for key in &mut keys {
        key["attention"] = json!(words(key));
    }
    keys
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Concerns, noted};

    fn key(hygiene: &Value) -> Value {
        json!({"id": "k", "hygiene": hygiene})
    }

    #[test]
    fn keys_are_listed_if_any_of_what_is_asked_for_applies() {
        let old = key(&json!({"rotation_due": true, "expiring": false, "unused_since": null}));
        let idle = key(&json!({"rotation_due": false, "unused_since": "2026-01-01T00:00:00Z"}));
        // As an older gateway answers.
        let unknown = json!({"id": "k"});
        let check = |due, unused, expect: [bool; 3]| {
            let concerns = Concerns {
                due,
                unused,
                expiring: false,
                failing: false,
            };
            let included = [&old, &idle, &unknown].map(|key| concerns.include(key));
            assert_eq!(included, expect, "due {due}, unused {unused}");
        };
        check(false, false, [true, true, true]);
        check(true, false, [true, false, false]);
        check(false, true, [false, true, false]);
        check(true, true, [true, true, false]);
        let noted = noted(&[old, idle, unknown]);
        let words: Vec<_> = noted.iter().map(|key| key["attention"].clone()).collect();
        assert_eq!(words, [json!(["due"]), json!(["unused"]), json!([])]);
    }
}
