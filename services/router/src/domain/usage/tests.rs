use keyward_money::Usage;

use super::*;

fn check(form: Form, reports: &[&str], expect: Usage) {
    let mut meter = Meter::new(form);
    let mut last = None;
    for json in reports {
        last = meter.take(json.as_bytes()).or(last);
    }
    let measured = last.unwrap_or_else(|| panic!("{form:?} {reports:?}"));
    assert_eq!(measured.usage, expect, "{form:?} {reports:?}");
    assert!(!measured.inconsistent, "{form:?} {reports:?}");
}

fn tokens(input_tokens: i64, output_tokens: i64) -> Usage {
    Usage {
        input_tokens,
        output_tokens,
        ..Usage::default()
    }
}

#[test]
fn responses_report_cache_reasoning_and_searches() {
    let response = r#"{"output":[{"type":"web_search_call"},{"type":"message"}],"usage":{
        "input_tokens":1220,"input_tokens_details":{"cache_write_tokens":1000,"cached_tokens":20},
        "output_tokens":100,"output_tokens_details":{"reasoning_tokens":54},"total_tokens":1320}}"#;
    let expect = Usage {
        cache_read_tokens: 20,
        cache_write_5m_tokens: 1_000,
        reasoning_tokens: 54,
        searches: 1,
        ..tokens(200, 46)
    };
    check(Form::Responses, &[response], expect);
    let event = format!(r#"{{"type":"response.completed","response":{response}}}"#);
    check(Form::Responses, &[&event], expect);
}

#[test]
fn embeddings_report_a_prompt_or_a_total() {
    for report in [
        r#"{"data":[],"usage":{"prompt_tokens":18,"total_tokens":18}}"#,
        r#"{"data":[],"usage":{"total_tokens":18}}"#,
    ] {
        check(Form::Embeddings, &[report], tokens(18, 0));
    }
}

#[test]
fn images_whose_tokens_are_told_as_chats_tell_them() {
    check(
        Form::ImageGenerations,
        &[
            r#"{"data":[{"b64_json":""}],"usage":{"prompt_tokens":1125,"completion_tokens":1120,
            "completion_tokens_details":{"image_tokens":1120},"cost":0.03}}"#,
        ],
        Usage {
            input_tokens: 1_125,
            output_image_tokens: 1_120,
            images: 1,
            ..Usage::default()
        },
    );
}

#[test]
fn images_are_counted_and_their_tokens_are_of_images() {
    let usage = r#""usage":{"input_tokens":50,"input_tokens_details":{"text_tokens":10,
        "image_tokens":40},"output_tokens":1056,"total_tokens":1106}"#;
    let expect = Usage {
        input_image_tokens: 40,
        output_image_tokens: 1_056,
        images: 1,
        ..tokens(10, 0)
    };
    let plain = format!(r#"{{"created":1,"data":[{{"b64_json":"aa"}}],{usage}}}"#);
    check(Form::ImageEdits, &[&plain], expect);
    let event = format!(r#"{{"type":"image_generation.completed","b64_json":"aa",{usage}}}"#);
    check(Form::ImageGenerations, &[&event], expect);
    let unreported = r#"{"data":[{"url":"a"},{"url":"b"}],"usage":{"cost_in_usd_ticks":1}}"#;
    let expect = Usage {
        images: 2,
        ..Usage::default()
    };
    check(Form::ImageGenerations, &[unreported], expect);
}

#[test]
fn sound_that_was_heard_is_told_in_tokens_or_seconds() {
    let heard = |audio_ms| Usage {
        audio_ms,
        ..Usage::default()
    };
    let cases: &[(&str, Usage)] = &[
        (
            r#"{"text":"a","usage":{"type":"tokens","input_tokens":37,"input_token_details":
                {"text_tokens":0,"audio_tokens":37},"output_tokens":144,"total_tokens":181}}"#,
            Usage {
                input_audio_tokens: 37,
                ..tokens(0, 144)
            },
        ),
        (
            r#"{"text":"a","usage":{"type":"duration","seconds":7}}"#,
            heard(7_000),
        ),
        (
            r#"{"text":"a","duration":3.4,"usage":{"type":"duration","seconds":4}}"#,
            heard(4_000),
        ),
        (r#"{"text":"a","duration":3.4}"#, heard(3_400)),
        (
            r#"{"text":"a","usage":{"prompt_audio_seconds":3,"prompt_tokens":5,"total_tokens":400,
                "completion_tokens":20,"prompt_tokens_details":{"audio_tokens":375}}}"#,
            Usage {
                input_audio_tokens: 375,
                ..tokens(5, 20)
            },
        ),
    ];
    for (report, expect) in cases {
        check(Form::Transcriptions, &[report], *expect);
    }
}

#[test]
fn anthropics_reports_add_up_over_a_stream() {
    let whole = r#"{"usage":{"input_tokens":18,"cache_creation_input_tokens":2055,
        "cache_read_input_tokens":7,"output_tokens":100,
        "output_tokens_details":{"thinking_tokens":80},
        "server_tool_use":{"web_search_requests":2}}}"#;
    let expect = Usage {
        cache_read_tokens: 7,
        cache_write_5m_tokens: 2_055,
        reasoning_tokens: 80,
        searches: 2,
        ..tokens(18, 20)
    };
    check(Form::Messages, &[whole], expect);
    let begun = r#"{"type":"message_start","message":{"usage":{"input_tokens":18,
        "cache_creation_input_tokens":30,"cache_read_input_tokens":7,"cache_creation":
        {"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20},"output_tokens":1}}}"#;
    let over = r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":9}}"#;
    let expect = Usage {
        cache_read_tokens: 7,
        cache_write_5m_tokens: 10,
        cache_write_1h_tokens: 20,
        ..tokens(18, 9)
    };
    check(Form::Messages, &[begun, over], expect);
}

#[test]
fn geminis_reports_are_by_modality() {
    let report = r#"{"candidates":[{"groundingMetadata":{"webSearchQueries":["a","b"]}}],
        "usageMetadata":{"promptTokenCount":520,"candidatesTokenCount":502,"totalTokenCount":1500,
        "cachedContentTokenCount":20,"toolUsePromptTokenCount":30,
        "promptTokensDetails":[{"modality":"TEXT","tokenCount":262},
            {"modality":"IMAGE","tokenCount":258}],
        "cacheTokensDetails":[{"modality":"IMAGE","tokenCount":8}],
        "candidatesTokensDetails":[{"modality":"AUDIO","tokenCount":2}],
        "thoughtsTokenCount":448}}"#;
    let expect = Usage {
        cache_read_tokens: 20,
        input_image_tokens: 250,
        reasoning_tokens: 448,
        output_audio_tokens: 2,
        searches: 2,
        ..tokens(280, 500)
    };
    check(Form::GenerateContent, &[report], expect);
    let tail = read_tail(Form::StreamGenerateContent, &report.as_bytes()[60..]);
    let expect = Usage {
        searches: 0,
        ..expect
    };
    assert_eq!(tail.unwrap().usage, expect);
}

#[test]
fn counting_and_judging_are_free_and_what_reports_nothing_is_nothing() {
    for form in [Form::MessageTokens, Form::CountTokens, Form::Moderations] {
        check(form, &["{}"], Usage::default());
    }
    for (form, json) in [
        (Form::Responses, r#"{"usage":null}"#),
        (Form::Messages, "{}"),
        (Form::GenerateContent, r#"{"candidates":[]}"#),
        (Form::Transcriptions, r#"{"text":"a"}"#),
        (Form::EmbedContent, r#"{"embedding":{}}"#),
        (
            Form::Messages,
            r#"{"usage":{"input_tokens":100000001,"output_tokens":1}}"#,
        ),
    ] {
        assert!(read(form, json.as_bytes()).is_none(), "{form:?} {json}");
    }
}
