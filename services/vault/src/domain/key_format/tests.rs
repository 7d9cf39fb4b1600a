use super::{KeyFormatError, check_key};

fn key(prefix: &str, count: usize) -> String {
    format!("{prefix}{}", "aB3".repeat(count).split_at(count).0)
}

#[test]
fn keys_of_their_providers_form_pass() {
    for (provider, key) in [
        ("openrouter", key("sk-or-v1-", 64)),
        ("openai", key("sk-proj-", 43)),
        ("openai", key("sk-svcacct-", 40)),
        ("openai", key("sk-", 43)),
        ("openai", key("sk-", 48)),
        ("anthropic", key("sk-ant-api03-", 95)),
        ("google", key("AIza", 35)),
        ("google", key("AQ.Ab8-", 30)),
        ("groq", key("gsk_", 52)),
        ("deepseek", key("sk-", 32)),
        ("azure", key("", 32)),
        ("sandbox", "sk-sandbox-revoked".to_owned()),
        ("some-provider", "whatever/it+likes=".to_owned()),
    ] {
        assert_eq!(
            check_key(provider, &key, false),
            Ok(key.as_str()),
            "{provider}"
        );
    }
}

#[test]
fn keys_of_another_form_are_refused_with_the_expected_one() {
    for (provider, key, expected) in [
        ("openrouter", key("sk-or-v1-", 63), "sk-or-v1-"),
        ("openrouter", key("sk-or-v1-", 65), "64"),
        ("openrouter", key("sk-", 64), "sk-or-v1-"),
        ("openai", key("sk-", 42), "43"),
        ("openai", key("sk-or-v1-", 64), "sk-proj-"),
        ("openai", key("sk-ant-", 95), "sk-proj-"),
        ("anthropic", key("sk-ant-", 94), "sk-ant-"),
        ("google", key("AIza", 34), "AIza"),
        ("google", key("AQ.", 29), "AQ."),
        ("groq", key("sk-", 40), "gsk_"),
        ("deepseek", key("ds-", 40), "sk-"),
        ("azure", key("", 31), "32"),
        ("sandbox", "sk-box-x".to_owned(), "sk-sandbox-"),
    ] {
        let error = check_key(provider, &key, false).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(expected), "{provider}: {message}");
        assert!(!message.contains(&key), "{provider}: {message}");
        assert_eq!(check_key(provider, &key, true), Ok(key.as_str()));
    }
}

#[test]
fn white_space_around_is_taken_off_and_within_is_refused() {
    let good = key("sk-proj-", 43);
    let padded = format!(" \t{good}\r\n");
    assert_eq!(check_key("openai", &padded, false), Ok(good.as_str()));
    for any_form in [false, true] {
        for bad in [
            format!("{good} {good}"),
            format!("{good}\n{good}"),
            format!("{good}\0"),
            format!("{good}é"),
        ] {
            let error = check_key("openai", &bad, any_form).unwrap_err();
            assert_eq!(error, KeyFormatError::Characters);
        }
        assert_eq!(
            check_key("openai", " \n", any_form),
            Err(KeyFormatError::Empty)
        );
        let long = "x".repeat(4097);
        assert_eq!(
            check_key("other", &long, any_form),
            Err(KeyFormatError::TooLong)
        );
    }
}
