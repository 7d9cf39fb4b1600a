//! Secrets come in by the ways that are meant for them, and are never shown again.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use keyward_testkit::canary::{self, assert_absent};

use crate::caller::{Caller, Ended};

fn assert_unseen(key: &str, ended: &Ended) {
    assert_absent(key, ended.stdout.as_bytes(), "standard output");
    assert_absent(key, ended.stderr.as_bytes(), "standard error");
}

#[tokio::test]
async fn a_key_is_taken_from_input_a_file_or_a_variable() {
    let caller = Caller::new().await;
    let keys: Vec<String> = (0..4).map(|_| canary::provider_key("openrouter")).collect();
    fs::write(caller.folder.path().join("key"), format!("{}\n", keys[2])).unwrap();
    let add = |rest: &[&str], input: &str| {
        let arguments = [&["keys", "add", "openrouter"], rest].concat();
        caller.run_with(&arguments, &[("MY_KEY", &keys[3])], input)
    };
    let ended = [
        add(&["-"], &format!("{}\n", keys[0])),
        add(&["--key-file", "-"], &keys[1]),
        add(&["--key-file", "key"], ""),
        add(&["--key-env", "MY_KEY"], ""),
    ];
    for (ended, key) in ended.iter().zip(&keys) {
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(
            ended.stdout.contains(&key[key.len() - 4..]),
            "{}",
            ended.stdout
        );
        assert_unseen(key, ended);
    }
    let listed = caller.json(&["keys", "list"]);
    assert_eq!(listed["provider_keys"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_key_among_the_arguments_is_refused_and_not_repeated() {
    let caller = Caller::new().await;
    let key = canary::provider_key("openrouter");
    let glued = format!("--key={key}");
    for arguments in [
        ["keys", "add", "openrouter", &key].as_slice(),
        &["keys", "add", "openrouter", "-", &key],
        &["keys", "add", "openrouter", "--key", &key],
        &["keys", "add", "openrouter", &glued],
        &["keys", "add", "--label", "x", &key, "openrouter"],
        &["keys", "import", &key],
        &["keys", "list", &key],
        &["keys", &key],
        &[&key],
        &["keys", "add", "openrouter", "--weight", &key],
    ] {
        let ended = caller.run_with(arguments, &[], "");
        assert_eq!(ended.code, 2, "{arguments:?}");
        assert_unseen(&key, &ended);
    }
    // The keys of some providers have no prefix; and some name the key where its file belongs.
    let plain = format!("x7{}", canary::characters(32));
    for (arguments, code) in [
        (["keys", &plain].as_slice(), 2),
        (&["keys", "add", "mistral", "--key", &plain], 2),
        (&["keys", "add", "mistral", "--key-file", &plain], 1),
        (&["keys", "import", "--env", &plain], 1),
        (&["credits", "--access-key-file", &plain], 5),
        (&["credits", "--url", &plain], 2),
    ] {
        let ended = caller.run_with(arguments, &[], "");
        assert_eq!(ended.code, code, "{arguments:?}: {}", ended.stderr);
        assert_unseen(&plain, &ended);
    }
    let listed = caller.json(&["keys", "list"]);
    assert!(listed["provider_keys"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn keys_of_an_env_file_are_taken_over_unseen_and_once() {
    let caller = Caller::new().await;
    let openai = canary::provider_key("openai");
    let openrouter = canary::provider_key("openrouter");
    let bad = canary::characters(48);
    let unread = canary::characters(48);
    let text = format!(
        "# mine\nexport OPENAI_API_KEY=\"{openai}\" # work\nOPENROUTER_API_KEY='{openrouter}'\n\
         GROQ_API_KEY={bad}\nsk {unread}\nDATABASE_PASSWORD=hunter2hunter2\n"
    );
    fs::write(caller.folder.path().join(".env"), text).unwrap();
    let import = ["keys", "import", "--env", ".env"];
    let results = |ended: &Ended| -> Vec<String> {
        for key in [&openai, &openrouter, &bad, &unread] {
            assert_unseen(key, ended);
        }
        assert!(!ended.stdout.contains("hunter2") && !ended.stderr.contains("hunter2"));
        let imported: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let imported = imported["imported"].as_array().unwrap().iter();
        imported
            .map(|row| row["result"].as_str().unwrap().to_owned())
            .collect()
    };

    let dry = caller.run(&[import.as_slice(), &["--json", "--dry-run"]].concat());
    assert_eq!(
        (dry.code, results(&dry)),
        (0, vec!["would_be_sent".to_owned(); 3])
    );

    let first = caller.run(&[import.as_slice(), &["--json"]].concat());
    assert_eq!(first.code, 6, "{}", first.stderr);
    assert_eq!(results(&first), ["added", "added", "refused"]);

    let again = caller.run(&[import.as_slice(), &["--json"]].concat());
    assert_eq!(again.code, 6, "{}", again.stderr);
    assert_eq!(
        results(&again),
        ["already_there", "already_there", "refused"]
    );
    for key in [&openai, &openrouter, &bad, &unread] {
        assert_absent(key, caller.gateway.logs().as_bytes(), "the gateway's log");
    }
}

#[tokio::test]
async fn a_new_access_keys_secret_stands_alone_on_standard_output() {
    let caller = Caller::new().await;
    let ended = caller.run(&["access", "create", "--scopes", "usage", "--label", "ci"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let secret = ended.stdout.trim_end();
    assert!(
        secret.starts_with("kw_") && !secret.contains(char::is_whitespace),
        "{secret}"
    );
    assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
    let balance = caller.run_with(&["credits"], &[("KEYWARD_ACCESS_KEY", secret)], "");
    assert_eq!(balance.code, 0, "{}", balance.stderr);
}

#[tokio::test]
async fn a_new_access_keys_secret_goes_into_a_private_new_file() {
    let caller = Caller::new().await;
    let create = ["access", "create", "--scopes", "usage", "--out", "ci-key"];
    let ended = caller.run(&create);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let file = caller.folder.path().join("ci-key");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let secret = fs::read_to_string(&file).unwrap();
    assert!(!ended.stdout.contains(secret.trim()) && !ended.stderr.contains(secret.trim()));
    let balance = caller.run(&["credits", "--access-key-file", "ci-key"]);
    assert_eq!(balance.code, 0, "{}", balance.stderr);

    let count = || {
        caller.json(&["access", "list"])["access_keys"]
            .as_array()
            .unwrap()
            .len()
    };
    let before = count();
    assert_eq!(
        caller.run(&create).code,
        1,
        "a file that is there is left alone"
    );
    assert_eq!(count(), before, "and no key is made that nobody has");
    assert_eq!(fs::read_to_string(&file).unwrap(), secret);
}

#[tokio::test]
async fn the_local_admin_key_is_used_where_no_other_is_given() {
    let caller = Caller::new().await;
    let data = caller.folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("admin-key"), caller.gateway.admin_key()).unwrap();
    let variables = [("KEYWARD_ACCESS_KEY", ""), ("KEYWARD_DATA_DIR", "data")];
    let ended = caller.run_with(&["credits"], &variables, "");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("data/admin-key"), "{}", ended.stderr);

    let elsewhere = ["credits", "--url", "http://gateway.invalid:8080"];
    let ended = caller.run_with(&elsewhere, &variables, "");
    assert_eq!(ended.code, 5, "not sent to strangers: {}", ended.stderr);
}
