//! What another system encrypted is taken over from the terminal, once, and none of it is shown.

use std::fs;

use keyward_testkit::canary;
use keyward_testkit::{Launch, Topology};
use keyward_vault::domain::fernet::FernetKey;
use serde_json::{Value, json};

use crate::caller::{Caller, Ended};

/// As other software has them, the newest first.
/// Of different signing halves, or the wrong one would take a token for genuine.
const FERNET_KEYS: [&str; 3] = [
    "ciBvbmUsIG5ld2VzdCEhIWZlcm5ldCBrZXkgbnVtYmU=",
    "ciB0d28sIGluIGJldHdlZWZlcm5ldCBrZXkgbnVtYmU=",
    "ciB0aHJlZSwgb2xkZXN0IWZlcm5ldCBrZXkgbnVtYmU=",
];

/// Enough that all workers have some.
const ROWS: usize = 90;

async fn caller() -> Caller {
    let keys = FERNET_KEYS.join("\n");
    let launch = Launch::new(Topology::Embedded).vault_set("vault.fernet_keys", &keys);
    Caller {
        gateway: launch.start().await,
        folder: tempfile::tempdir().unwrap(),
    }
}

/// A token of each key in turn.
fn token(number: usize, content: &str) -> String {
    let key = FernetKey::parse(FERNET_KEYS[number % FERNET_KEYS.len()]).unwrap();
    let iv = [u8::try_from(number % 256).unwrap(); 16];
    key.seal(content.as_bytes(), iv, 1_700_000_000).encode()
}

fn rows_of(ended: &Ended) -> Vec<Value> {
    let data: Value = serde_json::from_str(&ended.stdout).unwrap();
    data["imported"].as_array().unwrap().clone()
}

fn count(ended: &Ended, result: &str) -> usize {
    let rows = rows_of(ended);
    rows.iter().filter(|row| row["result"] == result).count()
}

#[tokio::test]
async fn a_file_of_tokens_is_taken_over_once_however_often_it_is_sent() {
    let caller = caller().await;
    let users = caller.run(&["users", "create", "alice"]);
    assert_eq!(users.code, 0, "{}", users.stderr);
    let secrets: Vec<_> = (0..ROWS).map(|_| canary::provider_key("openai")).collect();
    let rows = secrets.iter().enumerate();
    let rows = rows
        .map(|(number, secret)| format!("alice,openai,{},row {number}\n", token(number, secret)));
    let csv = format!("user,provider,token,label\n{}", rows.collect::<String>());
    fs::write(caller.folder.path().join("old.csv"), &csv).unwrap();
    fs::write(caller.folder.path().join("renamed.csv"), &csv).unwrap();
    let import = |file: &str, rest: &[&str]| {
        let arguments = ["keys", "import", "--fernet", file, "--json"];
        let ended = caller.run(&[&arguments, rest].concat());
        assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
        for secret in &secrets {
            canary::assert_absent(secret, ended.stdout.as_bytes(), "standard output");
            canary::assert_absent(secret, ended.stderr.as_bytes(), "standard error");
        }
        ended
    };
    let stored = || {
        let listed = caller.json(&["keys", "list", "--user", "alice"]);
        listed["provider_keys"].as_array().unwrap().len()
    };

    assert_eq!(
        count(&import("old.csv", &["--dry-run"]), "would_be_added"),
        ROWS
    );
    assert_eq!(stored(), 0);
    let first = import("old.csv", &[]);
    assert_eq!((count(&first, "added"), stored()), (ROWS, ROWS));
    for (number, row) in rows_of(&first).iter().enumerate() {
        assert_eq!(row["line"], number + 2);
        let (_, end) = row["masked_key"].as_str().unwrap().split_once('…').unwrap();
        assert!(secrets[number].ends_with(end));
    }
    // Known by its name and content, and under another name by what is in it.
    for file in ["old.csv", "renamed.csv"] {
        assert_eq!(count(&import(file, &[]), "already_there"), ROWS, "{file}");
    }
    assert_eq!(stored(), ROWS);
}

#[tokio::test]
async fn a_row_that_fails_is_named_by_its_line_and_stops_no_other() {
    let caller = caller().await;
    let good = canary::provider_key("openai");
    let line =
        |provider: &str, token: &str| json!({"provider": provider, "token": token}).to_string();
    let text = [
        line("openai", "no token"),
        line("openai", &token(0, &good)),
        "no JSON".to_owned(),
        line("anthropic", &token(1, &good)),
        line("openai", &token(2, &good)),
    ];
    let ended = caller.run_with(
        &["keys", "import", "--fernet", "-", "--json"],
        &[],
        &text.join("\n"),
    );
    assert_eq!(ended.code, 6, "{}", ended.stderr);
    let rows = rows_of(&ended);
    let results: Vec<_> = rows
        .iter()
        .map(|row| row["result"].as_str().unwrap())
        .collect();
    assert_eq!(
        (results[0], results[2], results[3]),
        ("refused", "refused", "refused")
    );
    // The same key under two tokens is there once, whichever came first.
    let mut twins = [results[1], results[4]];
    twins.sort_unstable();
    assert_eq!(twins, ["added", "already_there"]);
    assert!(ended.stderr.contains("3 refused"), "{}", ended.stderr);
    canary::assert_absent(&good, ended.stdout.as_bytes(), "standard output");
}

#[tokio::test]
async fn one_token_comes_from_a_file_or_standard_input_and_never_from_an_argument() {
    let caller = caller().await;
    let secret = canary::provider_key("openai");
    let sealed = token(1, &secret);
    let import = |file: &str, rest: &[&str], input: &str| {
        let arguments = [
            "keys",
            "import",
            "--fernet-token",
            file,
            "--provider",
            "openai",
        ];
        caller.run_with(&[&arguments, rest].concat(), &[], input)
    };
    let dry = import("-", &["--dry-run"], &sealed);
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    fs::write(caller.folder.path().join("token"), format!("{sealed}\n")).unwrap();
    let done = import("token", &["--label", "old"], "");
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains(&secret[secret.len() - 4..]));
    canary::assert_absent(&secret, done.stdout.as_bytes(), "standard output");
    assert_eq!(import("token", &[], "").code, 1);
    let refused = import(&sealed, &[], "");
    assert_ne!(refused.code, 0);
    assert!(!refused.stderr.contains(&sealed), "{}", refused.stderr);
}
