use super::*;

fn check(form: Form, data: &str, commits: bool, finishes: bool) {
    let kind = Kind::of(form);
    let told = kind.read(data.as_bytes()).unwrap_or_default();
    assert_eq!((told.commits, told.finishes), (commits, finishes), "{data}");
    assert_eq!(told.error, None, "{data}");
    // What is not looked into must not be what finishes.
    let glance = kind.glance(data.as_bytes());
    assert!(glance.finish || !finishes, "{data}");
}

#[test]
fn an_answer_begins_with_its_first_content_in_every_form() {
    for (data, commits, finishes) in [
        (
            r#"{"type":"response.created","response":{"error":null}}"#,
            false,
            false,
        ),
        (
            r#"{"type":"response.output_item.added","item":{}}"#,
            false,
            false,
        ),
        (
            r#"{"type":"response.output_text.delta","delta":"a"}"#,
            true,
            false,
        ),
        (
            r#"{"type":"response.completed","response":{"error":null,"usage":{}}}"#,
            true,
            true,
        ),
        (
            r#"{"type":"response.incomplete","response":{}}"#,
            true,
            true,
        ),
    ] {
        check(Form::Responses, data, commits, finishes);
    }
    check(
        Form::Transcriptions,
        r#"{"type":"transcript.text.done","text":"a"}"#,
        true,
        true,
    );
    for (data, commits) in [
        (r#"{"type":"message_start","message":{"usage":{}}}"#, false),
        (r#"{"type":"ping"}"#, false),
        (
            r#"{"type":"content_block_start","content_block":{"type":"text","text":""}}"#,
            false,
        ),
        (
            r#"{"type":"content_block_start","content_block":{"type":"tool_use"}}"#,
            true,
        ),
        (
            r#"{"type":"content_block_delta","delta":{"text":"a"}}"#,
            true,
        ),
        (
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
            true,
        ),
    ] {
        check(Form::Messages, data, commits, false);
    }
    for (data, commits, finishes) in [
        (r#"{"usageMetadata":{"promptTokenCount":1}}"#, false, false),
        (
            r#"{"candidates":[{"content":{"role":"model"}}]}"#,
            false,
            false,
        ),
        (
            r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#,
            true,
            false,
        ),
        (r#"{"candidates":[{"finishReason":"STOP"}]}"#, true, true),
        (r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#, true, true),
    ] {
        check(Form::StreamGenerateContent, data, commits, finishes);
    }
}

#[test]
fn errors_are_known_in_every_form() {
    for (form, data, error) in [
        (
            Form::Messages,
            r#"{"type":"error","error":{"type":"overloaded_error"}}"#,
            r#"{"type":"overloaded_error"}"#,
        ),
        (
            Form::Responses,
            r#"{"type":"error","code":"x","message":"m"}"#,
            r#"{"type":"error","code":"x","message":"m"}"#,
        ),
        (
            Form::Responses,
            r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#,
            r#"{"code":"server_error"}"#,
        ),
        (
            Form::StreamGenerateContent,
            r#"{"error":{"code":503}}"#,
            r#"{"code":503}"#,
        ),
    ] {
        let kind = Kind::of(form);
        assert!(kind.glance(data.as_bytes()).error, "{data}");
        let told = kind.read(data.as_bytes()).unwrap();
        assert_eq!(told.error.as_deref(), Some(error), "{data}");
        assert!(!told.commits && !told.finishes, "{data}");
    }
}

#[test]
fn only_the_event_of_that_type_ends_a_message() {
    let ends = |data: &str| Kind::Messages.ends(data.as_bytes());
    assert!(ends(r#"{"type":"message_stop"}"#));
    assert!(!ends(
        r#"{"type":"content_block_delta","delta":{"text":"message_stop"}}"#
    ));
    assert!(!ends("[DONE]"));
    assert!(Kind::Typed.ends(b"[DONE]"));
}
