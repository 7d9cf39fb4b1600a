//! Golden files: what is given in one form, and what becomes of it in another. A folder for each kind
//! and direction. `GOLDEN=overwrite` writes what becomes of it anew, to be looked at.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use keyward_dialect::{
    AnswerContext, Form, Framing, Options, StreamTranslator, answer, error, request,
};
use serde_json::{Value, json};

const FORMS: [(&str, Form); 5] = [
    ("openai_chat", Form::OpenAiChat),
    ("openai_completions", Form::OpenAiCompletions),
    ("openai_responses", Form::OpenAiResponses),
    ("anthropic_messages", Form::AnthropicMessages),
    ("gemini_generate", Form::GeminiGenerate),
];

/// What stands between a given stream and what becomes of it.
const BECOMES: &str = "\n=== becomes ===\n";

fn form(name: &str) -> Form {
    let known = FORMS.iter().find(|(known, _)| *known == name);
    known.unwrap_or_else(|| panic!("there is no form {name}")).1
}

/// Every file of a kind, with the forms that its folder names as `from-to`.
fn files(kind: &str) -> Vec<(PathBuf, Form, Form)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(kind);
    let mut files = Vec::new();
    for direction in fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        let name = direction.file_name().unwrap().to_str().unwrap();
        let (from, to) = name.split_once('-').unwrap();
        for file in fs::read_dir(&direction).unwrap() {
            files.push((file.unwrap().path(), form(from), form(to)));
        }
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(!files.is_empty(), "no golden files of {kind}");
    files
}

/// Compares, or writes anew.
fn check(file: &Path, written: &str, anew: &str) {
    if std::env::var_os("GOLDEN").is_some_and(|how| how == "overwrite") {
        fs::write(file, anew).unwrap();
    } else {
        assert_eq!(anew, written, "{}", file.display());
    }
}

/// Checks cases of JSON: a member `given`, and whatever a translation makes of the case.
fn check_json(kind: &str, translate: impl Fn(&Value, Form, Form) -> Vec<(&'static str, Value)>) {
    for (file, from, to) in files(kind) {
        let written = fs::read_to_string(&file).unwrap();
        let mut case: Value = serde_json::from_str(&written).expect(&written);
        let members = case.as_object_mut().unwrap();
        for name in ["expect", "dropped", "refused"] {
            members.shift_remove(name);
        }
        let made = translate(&case, from, to);
        case.as_object_mut().unwrap().extend(
            made.into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
        check(&file, &written, &format!("{case:#}\n"));
    }
}

fn context() -> AnswerContext {
    AnswerContext {
        stream_usage: true,
        ..AnswerContext::new("0198", "a-model", 1_800_000_000)
    }
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn requests_become_what_the_golden_files_say() {
    check_json("requests", |case, from, to| {
        let options = Options {
            drop_params: case["drop_params"] == true,
            stream: case["stream"] == true,
            adaptive_thinking: case["adaptive_thinking"] == true,
            ..Options::new(case["model"].as_str().unwrap_or("a-model"))
        };
        let given = case["given"].to_string();
        match request(from, to, given.as_bytes(), &options) {
            Ok(made) if made.dropped.is_empty() => vec![("expect", json(&made.body))],
            Ok(made) => vec![
                ("dropped", json!(made.dropped)),
                ("expect", json(&made.body)),
            ],
            Err(refusal) => vec![("refused", json!(refusal.param()))],
        }
    });
}

#[test]
fn answers_become_what_the_golden_files_say() {
    check_json("answers", |case, from, to| {
        let given = case["given"].to_string();
        let made = answer(from, to, given.as_bytes(), &context()).unwrap();
        vec![("expect", json(&made))]
    });
}

#[test]
fn errors_become_what_the_golden_files_say() {
    check_json("errors", |case, _, to| {
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        vec![(
            "expect",
            json(&error(status, to, case["given"].to_string().as_bytes())),
        )]
    });
}

#[test]
fn streams_become_what_the_golden_files_say() {
    for (file, from, to) in files("streams") {
        let written = fs::read_to_string(&file).unwrap();
        let (given, _) = written.split_once(BECOMES).unwrap_or((&written, ""));
        let name = file.file_stem().unwrap().to_str().unwrap();
        let framing = if name.ends_with("array") {
            Framing::Array
        } else {
            Framing::Events
        };
        let mut stream = StreamTranslator::new(
            from,
            to,
            AnswerContext {
                framing,
                ..context()
            },
        );
        let mut made = stream.push(given.as_bytes()).unwrap();
        let ended = stream.finish();
        made.extend_from_slice(&ended.bytes);
        made.extend_from_slice(&ended.last);
        let made = String::from_utf8(made).unwrap();
        check(&file, &written, &format!("{given}{BECOMES}{made}"));
    }
}
