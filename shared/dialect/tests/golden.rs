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
    AnswerContext, Form, Framing, ImageSizes, Options, Refusal, StreamTranslator, answer, error,
    gemini_image_answer, gemini_image_request, request,
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

/// What a translation makes of a case: members and what they are expected to be.
type Made = Vec<(&'static str, Value)>;

/// Checks cases of JSON: a member `given`, and whatever a translation makes of the case.
fn check_json(kind: &str, translate: impl Fn(&Value, Form, Form) -> Made) {
    for (file, from, to) in files(kind) {
        check_case(&file, |case| translate(case, from, to));
    }
}

fn check_case(file: &Path, translate: impl FnOnce(&Value) -> Made) {
    let written = fs::read_to_string(file).unwrap();
    let mut case: Value = serde_json::from_str(&written).expect(&written);
    let members = case.as_object_mut().unwrap();
    for name in ["expect", "dropped", "refused"] {
        members.shift_remove(name);
    }
    let made = translate(&case).into_iter();
    let made = made.map(|(name, value)| (name.to_owned(), value));
    case.as_object_mut().unwrap().extend(made);
    check(file, &written, &format!("{case:#}\n"));
}

/// Checks cases of images, which belong to no conversation.
fn check_images(direction: &str, translate: impl Fn(&Value) -> Made) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/images");
    let files: Vec<_> = fs::read_dir(folder.join(direction)).unwrap().collect();
    assert!(!files.is_empty(), "no golden files of {direction}");
    for file in files {
        check_case(&file.unwrap().path(), &translate);
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
        let made = request(from, to, given.as_bytes(), &options);
        worded(made.map(|made| (made.body, made.dropped)))
    });
}

fn worded(made: Result<(Vec<u8>, Vec<String>), Refusal>) -> Made {
    match made {
        Ok((body, dropped)) if dropped.is_empty() => vec![("expect", json(&body))],
        Ok((body, dropped)) => vec![("dropped", json!(dropped)), ("expect", json(&body))],
        Err(refusal) => vec![("refused", json!(refusal.param()))],
    }
}

#[test]
fn requests_for_images_become_what_the_golden_files_say() {
    check_images("requests", |case| {
        let options = Options {
            drop_params: case["drop_params"] == true,
            image_sizes: match case["image_sizes"] == true {
                true => ImageSizes::Several,
                false => ImageSizes::One,
            },
            ..Options::new("a-model")
        };
        let given = case["given"].to_string();
        worded(gemini_image_request(given.as_bytes(), &options))
    });
}

#[test]
fn answers_with_images_become_what_the_golden_files_say() {
    check_images("answers", |case| {
        let made = gemini_image_answer(case["given"].to_string().as_bytes(), &context());
        made.map_or_else(
            |garbled| vec![("refused", json!(garbled.to_string()))],
            |made| vec![("expect", json(&made))],
        )
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
