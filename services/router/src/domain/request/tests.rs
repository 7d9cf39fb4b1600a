use super::*;

fn parse_as(form: Form, body: &[u8]) -> Result<ModelRequest, RequestError> {
    ModelRequest::parse(Arrived {
        form,
        body: Bytes::copy_from_slice(body),
        ..Arrived::default()
    })
}

/// A request in a form of Gemini's, whose address names the model.
fn addressed(form: Form, body: &str) -> Result<ModelRequest, RequestError> {
    ModelRequest::parse(Arrived {
        form,
        model: "gemini-2.5-flash".to_owned(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        ..Arrived::default()
    })
}

fn parse(body: &str) -> Result<ModelRequest, RequestError> {
    parse_as(Form::Chat, body.as_bytes())
}

const SPLICE: Splice<'_> = Splice {
    upstream_model: "up",
    keep_models: false,
    keep_provider: false,
    force_usage: true,
};

fn spliced(body: &str, splice: &Splice<'_>) -> String {
    let bytes = parse(body).unwrap().splice(splice).unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn check_faulty(cases: &[(&str, Option<&str>, &str)]) {
    for (body, param, message) in cases {
        let error = parse(body).expect_err(body);
        assert_eq!(error.param, *param, "{body}");
        assert!(error.message.contains(message), "{body}: {error}");
    }
}

#[test]
fn what_is_no_body_or_names_no_model_is_refused() {
    check_faulty(&[
        ("", None, "the body is empty"),
        ("{", None, "not valid JSON"),
        ("hello", None, "not valid JSON"),
        ("[]", None, "must be a JSON object"),
        ("3", None, "must be a JSON object"),
        (r#"{"model":"m","messages":[{}]} x"#, None, "not valid JSON"),
        (r#"{"messages":[{}]}"#, Some("model"), "`model` is missing"),
        (
            r#"{"model":null,"messages":[{}]}"#,
            Some("model"),
            "must be a string",
        ),
        (
            r#"{"model":7,"messages":[{}]}"#,
            Some("model"),
            "must be a string",
        ),
        (
            r#"{"model":" ","messages":[{}]}"#,
            Some("model"),
            "must not be empty",
        ),
        (
            r#"{"model":"a\nb","messages":[{}]}"#,
            Some("model"),
            "not a name",
        ),
        (
            r#"{"model":"m","mod\u0065l":"n","messages":[{}]}"#,
            Some("model"),
            "given twice",
        ),
    ]);
    let error = parse_as(Form::Chat, b"{\"model\":\"\xff\"}").unwrap_err();
    assert!(error.message.contains("UTF-8"));
}

#[test]
fn a_faulty_body_is_refused_with_the_member_at_fault() {
    check_faulty(&[
        (
            r#"{"model":"m"}"#,
            Some("messages"),
            "`messages` is missing",
        ),
        (
            r#"{"model":"m","messages":"hi"}"#,
            Some("messages"),
            "must be an array",
        ),
        (
            r#"{"model":"m","messages":[ ]}"#,
            Some("messages"),
            "must not be empty",
        ),
        (
            r#"{"model":"m","messages":[{}],"stream":"yes"}"#,
            Some("stream"),
            "true or false",
        ),
        (
            r#"{"model":"m","messages":[{}],"stream":1}"#,
            Some("stream"),
            "true or false",
        ),
        (
            r#"{"model":"m","messages":[{}],"max_tokens":-1}"#,
            Some("max_tokens"),
            "whole number",
        ),
        (
            r#"{"model":"m","messages":[{}],"max_tokens":"1"}"#,
            Some("max_tokens"),
            "whole number",
        ),
        (
            r#"{"model":"m","messages":[{}],"n":0}"#,
            Some("n"),
            "between 1 and 128",
        ),
        (
            r#"{"model":"m","messages":[{}],"byok_api_key":1}"#,
            Some("byok_api_key"),
            "a string",
        ),
        (
            r#"{"model":"m","messages":[{}],"stream_options":1}"#,
            Some("stream_options"),
            "object",
        ),
        (
            r#"{"model":"m","messages":[{}],"stream_options":{"include_usage":1}}"#,
            Some("stream_options"),
            "true or false",
        ),
    ]);
}

#[test]
fn what_routing_needs_is_read() {
    let mut request = parse(
        r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"stream":true,
            "stream_options":{"include_usage":true},"max_tokens":10,"max_completion_tokens":20,
            "n":2,"byok_api_key":" sk-1 "}"#,
    )
    .unwrap();
    assert_eq!(request.model(), "gpt-4o");
    assert!(request.is_stream() && request.asks_usage());
    assert_eq!(
        (request.max_output_tokens(), request.choices()),
        (Some(20), 2)
    );
    assert_eq!(request.messages(), r#"[{"role":"user","content":"hi"}]"#);
    assert_eq!(request.take_inline_key().unwrap().expose(), "sk-1");
    assert!(request.take_inline_key().is_none());
}

#[test]
fn where_no_model_is_named_the_first_of_models_is_the_model() {
    let request = parse(r#"{"models":["a","b"],"messages":[{}]}"#).unwrap();
    assert_eq!(request.model(), "a");
    assert_eq!(request.models(), ["a", "b"]);
    let request = parse(r#"{"models":["a","b"],"model":"m","messages":[{}]}"#).unwrap();
    assert_eq!(request.model(), "m");
    for (body, param, message) in [
        (
            r#"{"models":[],"messages":[{}]}"#,
            "model",
            "`model` is missing",
        ),
        (
            r#"{"models":[" ","m"],"messages":[{}]}"#,
            "models",
            "`models` must not be empty",
        ),
        (
            r#"{"model":null,"models":["m"],"messages":[{}]}"#,
            "model",
            "must be a string",
        ),
    ] {
        let error = parse(body).expect_err(body);
        assert_eq!(error.param, Some(param), "{body}");
        assert!(error.message.contains(message), "{body}: {error}");
    }
}

#[test]
fn each_form_has_its_own_members_and_faults() {
    let cases: &[(Form, &str, Option<&str>)] = &[
        (Form::Completions, r#"{"model":"m"}"#, None),
        (Form::Completions, r#"{"prompt":"p"}"#, Some("model")),
        (Form::Responses, r#"{"model":"m","input":"i"}"#, None),
        (
            Form::Responses,
            r#"{"model":"m","max_output_tokens":"many"}"#,
            Some("max_output_tokens"),
        ),
        // What is another form's is whatever it is.
        (
            Form::Responses,
            r#"{"model":"m","messages":1,"messages":2,"stream_options":3}"#,
            None,
        ),
        (Form::Embeddings, r#"{"model":"m","input":[1,2]}"#, None),
        (Form::Embeddings, r#"{"model":"m"}"#, Some("input")),
        (
            Form::Embeddings,
            r#"{"model":"m","input":null}"#,
            Some("input"),
        ),
        (Form::Speech, r#"{"model":"m"}"#, Some("input")),
        (
            Form::ImageGenerations,
            r#"{"model":"m","prompt":"p","n":0}"#,
            Some("n"),
        ),
        (Form::Messages, r#"{"model":"m"}"#, Some("messages")),
        (Form::Messages, r#"{"messages":[{}]}"#, Some("model")),
        (
            Form::Messages,
            r#"{"model":"m","messages":[{}],"max_tokens":-1}"#,
            Some("max_tokens"),
        ),
    ];
    for (form, body, param) in cases {
        let found = parse_as(*form, body.as_bytes());
        let found = found.err().map(|error| error.param);
        assert_eq!(found, param.map(Some), "{form:?} {body}");
    }
}

#[test]
fn geminis_forms_have_their_model_and_their_stream_in_the_address() {
    let body = r#"{"contents":[{}],"generation_config":{"maxOutputTokens":7}}"#;
    let found = addressed(Form::StreamGenerateContent, body).unwrap();
    assert_eq!(found.model(), "gemini-2.5-flash");
    assert!(found.is_stream() && found.asks_usage());
    assert_eq!(found.max_output_tokens(), Some(7));
    assert!(!addressed(Form::GenerateContent, body).unwrap().is_stream());
    let lacking = addressed(Form::GenerateContent, "{}").unwrap_err();
    assert_eq!(lacking.param, Some("contents"));
    assert!(addressed(Form::CountTokens, "{}").is_ok());
}

#[test]
fn requests_within_a_request_name_the_model_as_its_provider_does() {
    let cases = [
        (
            Form::BatchEmbedContents,
            r#"{"requests":[ {"model":"models/google/m","content":{"model":"x"}},{"content":{}} ]}"#,
            r#"{"requests":[ {"model":"models/up","content":{"model":"x"}},{"content":{}} ]}"#,
        ),
        (
            Form::CountTokens,
            r#"{"generateContentRequest":{"contents":[],"model":"models/google/m"}}"#,
            r#"{"generateContentRequest":{"contents":[],"model":"models/up"}}"#,
        ),
        (
            Form::EmbedContent,
            r#"{"model":"models/google/m","content":{}}"#,
            r#"{"model":"models/up","content":{}}"#,
        ),
    ];
    for (form, body, expect) in cases {
        let sent = addressed(form, body).unwrap().splice(&SPLICE).unwrap();
        assert_eq!(sent.to_bytes(), expect, "{form:?}");
    }
    let twice = r#"{"requests":[{"model":"a","model":"b"}]}"#;
    let refused = addressed(Form::BatchEmbedContents, twice).unwrap();
    assert_eq!(refused.splice(&SPLICE).unwrap_err().param, Some("requests"));
}

#[test]
fn leave_to_drop_settings_is_kept_from_providers() {
    for (member, said) in [("true", Some(true)), ("false", Some(false)), ("null", None)] {
        let body = format!(r#"{{"model":"m","messages":[{{}}],"drop_params":{member}}}"#);
        assert_eq!(parse(&body).unwrap().drop_params(), said);
        let without = r#"{"model":"up","messages":[{}]}"#;
        assert_eq!(spliced(&body, &SPLICE), without);
    }
    let wrong = r#"{"model":"m","messages":[{}],"drop_params":"all"}"#;
    assert_eq!(parse(wrong).unwrap_err().param, Some("drop_params"));
}

#[test]
fn what_is_not_paid_for_by_tokens_is_foreseen() {
    let units = |form, body: &str| parse_as(form, body.as_bytes()).unwrap().units();
    let spoken = units(Form::Speech, r#"{"model":"m","input":"h\u00e9llo"}"#);
    assert_eq!((spoken.characters, spoken.audio_ms), (5, 400));
    let body = r#"{"model":"m","prompt":"p","n":2,"quality":"low"}"#;
    let made = units(Form::ImageGenerations, body);
    assert_eq!((made.images, made.output_image_tokens), (2, 816));
    let body = r#"{"model":"m","messages":[{}]}"#;
    assert_eq!(units(Form::Chat, body), keyward_money::Usage::default());
}

fn part(name: &str, value: &str) -> String {
    format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

#[test]
fn a_body_in_parts_that_names_no_model_gets_one_before_its_first_part() {
    let image = part("image", "...");
    for before in ["", "nobody's\r\n", "\r\n--\r\n"] {
        let body = format!("{before}{}{image}--b--\r\n", part("byok_api_key", "sk-1"));
        let request = ModelRequest::parse(Arrived {
            form: Form::ImageVariations,
            content_type: "multipart/form-data; boundary=b".to_owned(),
            body: Bytes::from(body),
            ..Arrived::default()
        });
        let sent = request.unwrap().splice(&SPLICE).unwrap().to_bytes();
        let model = part("model", "up");
        assert_eq!(sent, format!("{before}{model}{image}--b--\r\n"));
    }
}

#[test]
fn of_a_body_in_parts_only_the_model_changes() {
    let file = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n\
        \u{1}\u{0}--b\r\n";
    let body = |model: &str, more: &str| format!("{file}{}{more}--b--\r\n", part("model", model));
    let read = |body: &str| {
        ModelRequest::parse(Arrived {
            form: Form::Transcriptions,
            content_type: "multipart/form-data; boundary=b".to_owned(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            ..Arrived::default()
        })
    };
    let asked = body(
        "whisper-1",
        &(part("byok_api_key", "sk-1") + &part("stream", "true")),
    );
    let mut request = read(&asked).unwrap();
    assert_eq!(request.model(), "whisper-1");
    assert!(request.is_stream());
    assert_eq!(request.content_type(), "multipart/form-data; boundary=b");
    assert_eq!(request.take_inline_key().unwrap().expose(), "sk-1");
    let sent = request.splice(&SPLICE).unwrap().to_bytes();
    assert_eq!(sent, body("up", &part("stream", "true")));
    let unnamed = read(&format!("{file}--b--")).unwrap_err();
    assert_eq!(unnamed.param, Some("model"));
    let wav = "RIFF".to_owned() + &"\0".repeat(24) + "@\u{1f}\0\0" + &"\0".repeat(7_968);
    let heard = read(&body("m", "").replace("\u{1}\u{0}--b", &wav)).unwrap();
    assert_eq!(heard.units().audio_ms, 1_000);
}

#[test]
fn what_openai_calls_by_itself_needs_no_name() {
    let request = parse_as(Form::Moderations, br#"{"input":"a"}"#).unwrap();
    assert_eq!(request.model(), "omni-moderation-latest");
    let sent = request.splice(&SPLICE).unwrap().to_bytes();
    assert_eq!(sent, r#"{"model":"up","input":"a"}"#);
}

#[test]
fn odd_bodies_are_refused_too() {
    let long = format!(
        r#"{{"model":"m","messages":[{{}}],"models":["{}"]}}"#,
        "x".repeat(20_000)
    );
    for (body, message) in [
        ("\u{feff}{}", "not valid JSON"),
        (r#"{"model":"m","model":"m""#, "not valid JSON"),
        (
            r#"{"model":"m","messages":[{}],"models":["a",1]}"#,
            "a list",
        ),
        (&long, "too long"),
    ] {
        let error = parse(body).expect_err(body);
        assert!(error.message.contains(message), "{body}: {error}");
    }
}

#[test]
fn numbers_of_any_size_pass_untouched() {
    let body =
        r#"{"seed":1e999999,"model":"m","x":123456789012345678901234567890,"messages":[{}]}"#;
    assert_eq!(spliced(body, &SPLICE), body.replace("\"m\"", "\"up\""));
}

#[test]
fn escaped_names_are_the_same_members() {
    let body = r#"{"byok\u005fapi_key":"k","mod\u0065l":"m","messages":[{"byok_api_key":"mine"}]}"#;
    assert_eq!(
        parse(body).unwrap().take_inline_key().unwrap().expose(),
        "k"
    );
    let expect = r#"{"mod\u0065l":"up","messages":[{"byok_api_key":"mine"}]}"#;
    assert_eq!(spliced(body, &SPLICE), expect);
}

#[test]
fn deep_nesting_costs_no_stack() {
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    let body = format!(r#"{{"model":"m","x":{deep},"messages":[{{}}]}}"#);
    assert_eq!(parse(&body).unwrap().model(), "m");
}

#[test]
fn only_what_must_change_changes() {
    let cases: &[(&str, &str)] = &[
        (
            r#"{ "model" : "m" , "messages":[{}], "strange": {"a": [1, 2.50, "\u00e9"]}}"#,
            r#"{ "model" : "up" , "messages":[{}], "strange": {"a": [1, 2.50, "\u00e9"]}}"#,
        ),
        (
            r#"{"byok_api_key":"k", "model":"m","messages":[{}]}"#,
            r#"{ "model":"up","messages":[{}]}"#,
        ),
        (
            r#"{"model":"m","messages":[{}] , "byok_api_key":"k"}"#,
            r#"{"model":"up","messages":[{}]}"#,
        ),
        (
            r#"{"byok_api_key":"k","models":["a"],"provider":{},"model":"m","messages":[{}]}"#,
            r#"{"model":"up","messages":[{}]}"#,
        ),
        (
            r#"{"x":1,"byok_api_key":"k","y":2,"models":[],"model":"m","provider":{},"messages":[{}]}"#,
            r#"{"x":1,"y":2,"model":"up","messages":[{}]}"#,
        ),
        (
            r#"{"model":"m","byok_api_key":"k","messages":[{}],"stream":true}"#,
            r#"{"model":"up","stream_options":{"include_usage":true},"messages":[{}],"stream":true}"#,
        ),
        (
            r#"{"model":"m","messages":[{}],"stream":true,"stream_options":null}"#,
            r#"{"model":"up","messages":[{}],"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"model":"m","messages":[{}],"stream":true,"stream_options":{ }}"#,
            r#"{"model":"up","messages":[{}],"stream":true,"stream_options":{"include_usage":true }}"#,
        ),
        (
            r#"{"model":"m","messages":[{}],"stream":true,"stream_options":{"o":1}}"#,
            r#"{"model":"up","messages":[{}],"stream":true,"stream_options":{"include_usage":true,"o":1}}"#,
        ),
        (
            r#"{"model":"m","messages":[{}],"stream":true,"stream_options":{"include_usage":false}}"#,
            r#"{"model":"up","messages":[{}],"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
    ];
    for (body, expect) in cases {
        assert_eq!(spliced(body, &SPLICE), *expect, "{body}");
    }
}

#[test]
fn an_openrouter_key_keeps_the_routing_members() {
    let body = r#"{"models":["a"],"provider":{"sort":"price"},"model":"m","messages":[{}]}"#;
    let keep = Splice {
        upstream_model: "m",
        keep_models: true,
        keep_provider: true,
        force_usage: true,
    };
    assert_eq!(spliced(body, &keep), body);
    let keep = Splice {
        keep_models: false,
        ..keep
    };
    let without = r#"{"provider":{"sort":"price"},"model":"m","messages":[{}]}"#;
    assert_eq!(spliced(body, &keep), without);
}

#[test]
fn who_named_its_models_alone_is_given_one() {
    let keep = Splice {
        keep_models: true,
        ..SPLICE
    };
    for (body, without, with) in [
        (
            r#"{ "models":["a"],"messages":[{}]}"#,
            r#"{"model":"up","messages":[{}]}"#,
            r#"{"model":"up", "models":["a"],"messages":[{}]}"#,
        ),
        (
            r#" {"messages":[{}],"models":["a"], "x":1}"#,
            r#" {"model":"up","messages":[{}], "x":1}"#,
            r#" {"model":"up","messages":[{}],"models":["a"], "x":1}"#,
        ),
        (
            r#"{"messages":[{}],"models":["a"],"stream":true}"#,
            r#"{"model":"up","messages":[{}],"stream_options":{"include_usage":true},"stream":true}"#,
            r#"{"model":"up","messages":[{}],"stream_options":{"include_usage":true},"models":["a"],"stream":true}"#,
        ),
    ] {
        assert_eq!(spliced(body, &SPLICE), without, "{body}");
        assert_eq!(spliced(body, &keep), with, "{body}");
    }
    let named = Splice {
        upstream_model: "a",
        ..SPLICE
    };
    let body = r#"{"models":["a"],"messages":[{}]}"#;
    assert_eq!(spliced(body, &named), r#"{"model":"a","messages":[{}]}"#);
}

#[test]
fn usage_is_not_forced_where_the_provider_refuses_the_member() {
    let body = r#"{"model":"m","messages":[{}],"stream":true}"#;
    let splice = Splice {
        upstream_model: "m",
        keep_models: false,
        keep_provider: false,
        force_usage: false,
    };
    assert_eq!(spliced(body, &splice), body);
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    fn member() -> impl Strategy<Value = (String, String)> {
        prop_oneof![
            Just(("byok_api_key".to_owned(), r#""secret-key""#.to_owned())),
            Just(("models".to_owned(), r#"["a", "b"]"#.to_owned())),
            Just(("provider".to_owned(), r#"{"x":1}"#.to_owned())),
            Just(("stream".to_owned(), "true".to_owned())),
            Just(("stream_options".to_owned(), r#"{"z":[]}"#.to_owned())),
            ("[a-c]{4,6}", Just(r#"{"deep": [null, -1e3]}"#.to_owned())),
        ]
    }

    proptest! {
        #[test]
        fn a_splice_is_json_again_and_keeps_what_is_unknown(
            others in proptest::collection::vec(member(), 0..8),
            at in 0_usize..8,
            is_named in proptest::bool::ANY,
            gap in "[ \n]{0,2}",
        ) {
            let mut pairs: Vec<(String, String)> = Vec::new();
            for pair in others {
                if pairs.iter().all(|(name, _)| *name != pair.0) {
                    pairs.push(pair);
                }
            }
            let has_models = pairs.iter().any(|(name, _)| name == "models");
            if is_named || !has_models {
                pairs.insert(at.min(pairs.len()), ("model".into(), r#""m""#.into()));
            }
            pairs.push(("messages".into(), "[{}]".into()));
            let text = pairs.iter().map(|(name, value)| format!("{gap}\"{name}\"{gap}:{gap}{value}{gap}"));
            let body = format!("{{{}}}", text.collect::<Vec<_>>().join(","));
            let out: serde_json::Value = serde_json::from_str(&spliced(&body, &SPLICE)).unwrap();
            prop_assert_eq!(&out["model"], "up");
            for (name, value) in &pairs {
                match name.as_str() {
                    "byok_api_key" | "models" | "provider" => prop_assert!(out.get(name).is_none()),
                    "model" | "stream_options" => {}
                    _ => prop_assert_eq!(out[name].clone(), serde_json::from_str::<serde_json::Value>(value).unwrap()),
                }
            }
        }

        #[test]
        fn no_input_panics(text in ".{0,60}") {
            let _ = parse(&text);
        }
    }
}

#[test]
fn a_model_is_named_also_where_nothing_else_is_left() {
    for body in [
        "{}",
        "{ \n}",
        r#"{"models":["a"]}"#,
        r#"{"byok_api_key":"k"}"#,
    ] {
        let request = parse_as(Form::ImageVariations, body.as_bytes()).unwrap();
        let sent = request.splice(&SPLICE).unwrap().to_bytes();
        let sent: serde_json::Value = serde_json::from_slice(&sent).unwrap();
        assert_eq!(sent, serde_json::json!({"model": "up"}), "{body}");
    }
}
