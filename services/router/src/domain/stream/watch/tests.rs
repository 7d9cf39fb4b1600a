use super::*;
use proptest::prelude::*;

const ROLE: &str = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],\"usage\":null}\n\n";
const HELLO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}],\"usage\":null}\n\n";
const FINISH: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

fn push(watch: &mut StreamWatch, text: &str) -> (String, bool) {
    let pushed = watch
        .push(&Bytes::copy_from_slice(text.as_bytes()))
        .unwrap();
    (text_of(&pushed.forward), pushed.done)
}

fn text_of(pieces: &[Bytes]) -> String {
    String::from_utf8(pieces.concat()).unwrap()
}

#[test]
fn nothing_leaves_before_the_first_content() {
    let mut watch = StreamWatch::new(Form::Chat, true);
    assert_eq!(push(&mut watch, ": PROCESSING\n\n"), (String::new(), false));
    assert_eq!(push(&mut watch, ROLE), (String::new(), false));
    assert!(!watch.is_committed());
    assert_eq!(
        push(&mut watch, HELLO).0,
        format!(": PROCESSING\n\n{ROLE}{HELLO}")
    );
    assert!(watch.is_committed() && !watch.is_whole());
}

#[test]
fn waiting_is_bounded_in_bytes_and_by_command() {
    let mut watch = StreamWatch::new(Form::Chat, true);
    assert_eq!(text_of(&watch.commit().forward), "");
    assert_eq!(push(&mut watch, ROLE).0, ROLE);
    let mut watch = StreamWatch::new(Form::Chat, true);
    let comment = format!(": {}\n\n", "x".repeat(UNCOMMITTED_BYTES_MAX));
    assert_eq!(push(&mut watch, &comment).0, comment);
}

#[test]
fn the_usage_chunk_is_withheld_from_who_did_not_ask() {
    let mut watch = StreamWatch::new(Form::Chat, true);
    let all = [ROLE, HELLO, FINISH, USAGE, DONE].concat();
    assert_eq!(
        push(&mut watch, &all),
        ([ROLE, HELLO, FINISH].concat(), true)
    );
    assert_eq!(watch.usage().unwrap().usage.input_tokens, 3);
    assert_eq!(watch.take_usage_chunk(), None);
    assert_eq!(watch.take_done_event().unwrap(), DONE);
}

#[test]
fn the_tier_that_served_is_seen_first_and_last() {
    let tiered = |tier: &str, rest: &str| format!("data: {{\"service_tier\":{tier},{rest}}}\n\n");
    let hello = "\"choices\":[{\"delta\":{\"content\":\"hi\"}}]";
    let usage = "\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}";
    let cases: &[(&[String], &str)] = &[
        (&[HELLO.to_owned()], ""),
        (&[tiered("null", hello)], ""),
        (&[tiered("\"default\"", hello)], ""),
        (&[tiered("\"priority\"", hello)], "priority"),
        (&[tiered("null", hello), tiered("\"flex\"", hello)], "flex"),
        // What stands beside the usage is what was served in the end.
        (
            &[tiered("\"priority\"", hello), tiered("\"default\"", usage)],
            "",
        ),
        (
            &[tiered("\"priority\"", hello), USAGE.to_owned()],
            "priority",
        ),
    ];
    for (events, expect) in cases {
        let mut watch = StreamWatch::new(Form::Chat, true);
        push(&mut watch, &events.concat());
        assert_eq!(watch.service_tier(), *expect, "{events:?}");
    }
}

#[test]
fn the_usage_chunk_is_held_for_who_asked() {
    let mut watch = StreamWatch::new(Form::Chat, false);
    let all = [HELLO, USAGE, DONE].concat();
    assert_eq!(push(&mut watch, &all), (HELLO.to_owned(), true));
    assert_eq!(watch.take_usage_chunk().unwrap(), USAGE);
}

#[test]
fn usage_beside_choices_passes() {
    let chunk = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n";
    let mut watch = StreamWatch::new(Form::Chat, true);
    assert_eq!(push(&mut watch, chunk).0, chunk);
    assert!(watch.is_whole());
    assert_eq!(watch.usage().unwrap().usage.output_tokens, 2);
}

#[test]
fn an_error_event_breaks_the_stream_before_the_commit_and_passes_after() {
    let error = Bytes::from_static(b"data: {\"error\":{\"code\":502,\"message\":\"no\"}}\n\n");
    let mut watch = StreamWatch::new(Form::Chat, true);
    push(&mut watch, ROLE);
    let broken = watch.push(&error).unwrap_err();
    assert_eq!(broken.error, r#"{"code":502,"message":"no"}"#);
    assert!(!watch.is_committed());
    let mut watch = StreamWatch::new(Form::Chat, true);
    push(&mut watch, HELLO);
    assert_eq!(watch.push(&error).unwrap().forward, [error]);
    assert_eq!(watch.failure(), Some(r#"{"code":502,"message":"no"}"#));
    assert!(push(&mut watch, DONE).1);
    assert_eq!(watch.take_done_event().unwrap(), DONE);
}

#[test]
fn content_and_error_in_one_chunk_both_pass() {
    let error =
        "event: error\r\ndata: {\"error\":{\"message\":\"no\",\"status_code\":400}}\r\n\r\n";
    let mut watch = StreamWatch::new(Form::Chat, true);
    let all = [HELLO, error].concat();
    assert_eq!(push(&mut watch, &all).0, all);
    assert!(watch.failure().is_some() && !watch.is_whole());
}

#[test]
fn an_event_named_error_is_one_whatever_it_holds() {
    for data in ["{\"message\":\"no\"}", "no"] {
        let event = format!("event: error\ndata: {data}\n\n");
        let mut watch = StreamWatch::new(Form::Chat, true);
        let broken = watch.push(&Bytes::from(event)).unwrap_err();
        assert_eq!(broken.error, data);
    }
}

#[test]
fn an_error_that_reports_usage_passes_with_it() {
    let error = "data: {\"error\":{\"code\":400},\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n";
    let mut watch = StreamWatch::new(Form::Chat, true);
    push(&mut watch, HELLO);
    assert_eq!(push(&mut watch, error).0, error);
    assert_eq!(watch.usage().unwrap().usage.output_tokens, 2);
}

#[test]
fn the_last_event_counts_without_its_blank_line() {
    for end in ["data: [DONE]", "data:[DONE]\n", "data: [DONE]\r\n"] {
        let mut watch = StreamWatch::new(Form::Chat, true);
        push(&mut watch, HELLO);
        assert_eq!(push(&mut watch, end), (String::new(), false), "{end:?}");
        assert!(watch.end().unwrap().done, "{end:?}");
        let done = watch.take_done_event().unwrap();
        assert_eq!(done, format!("{}\n\n", end.trim_end()), "{end:?}");
    }
    let mut watch = StreamWatch::new(Form::Chat, true);
    push(&mut watch, HELLO);
    push(&mut watch, FINISH.trim_end());
    assert_eq!(text_of(&watch.end().unwrap().forward), FINISH);
    assert!(watch.is_whole());
}

#[test]
fn half_an_event_at_the_end_is_dropped() {
    let mut watch = StreamWatch::new(Form::Chat, true);
    push(&mut watch, HELLO);
    push(&mut watch, &FINISH[..30]);
    assert!(watch.end().unwrap().forward.is_empty());
    assert!(!watch.is_whole() && !watch.is_mid_event());
}

#[test]
fn what_arrived_in_one_piece_leaves_in_one() {
    let mut watch = StreamWatch::new(Form::Chat, true);
    push(&mut watch, HELLO);
    let chunk = Bytes::from(HELLO.repeat(3));
    let pushed = watch.push(&chunk).unwrap();
    assert_eq!(pushed.forward.len(), 1);
    assert_eq!(pushed.forward[0].as_ptr(), chunk.as_ptr());
}

#[test]
fn an_endless_event_passes_and_the_next_is_read_again() {
    let mut watch = StreamWatch::new(Form::Chat, true);
    let huge = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}",
        "x".repeat(EVENT_BYTES_MAX)
    );
    assert_eq!(push(&mut watch, &huge).0.len(), huge.len());
    assert!(!watch.text().is_empty() && !watch.can_be_cut());
    assert_eq!(push(&mut watch, "yz").0, "yz");
    assert_eq!(push(&mut watch, "\"}}]}\n\n").0, "\"}}]}\n\n");
    assert!(push(&mut watch, &[USAGE, DONE].concat()).1);
    assert!(watch.usage().is_some());
}

proptest! {
    #[test]
    fn however_it_is_cut_the_same_bytes_leave(cuts in proptest::collection::vec(0_usize..700, 0..12)) {
        let all = [": hi\r\n\r\n", ROLE, HELLO, HELLO, FINISH, USAGE, DONE].concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(all.len())).collect();
        cuts.extend([0, all.len()]);
        cuts.sort_unstable();
        let mut watch = StreamWatch::new(Form::Chat, true);
        let mut out = String::new();
        let mut done = false;
        for pair in cuts.windows(2) {
            let (text, is_done) = push(&mut watch, &all[pair[0]..pair[1]]);
            out.push_str(&text);
            done |= is_done;
        }
        prop_assert!(done);
        prop_assert_eq!(out, [": hi\r\n\r\n", ROLE, HELLO, HELLO, FINISH].concat());
        prop_assert_eq!(watch.usage().unwrap().usage.output_tokens, 2);
        prop_assert_eq!(watch.text().tokens_at_least(), 3);
    }
}

/// Pushes events of another form; what passed, and what was held until the end.
fn watched(form: Form, events: &[&str]) -> (String, String, StreamWatch) {
    let mut watch = StreamWatch::new(form, false);
    let mut passed = String::new();
    for event in events {
        passed += &push(&mut watch, event).0;
    }
    passed += &text_of(&watch.end().unwrap().forward);
    let held = watch.take_done_event().unwrap_or_default();
    (passed, text_of(&[held]), watch)
}

#[test]
fn a_message_of_anthropics_waits_for_its_content_and_is_whole_with_its_stop() {
    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n";
    let delta = "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"hi\"}}\n\n";
    let over =
        "data: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":2}}\n\n";
    let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let mut early = StreamWatch::new(Form::Messages, false);
    assert_eq!(push(&mut early, start).0, "");
    assert!(!early.is_committed());
    let error =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n";
    let broken = early.push(&Bytes::from_static(error.as_bytes()));
    assert!(broken.unwrap_err().error.contains("overloaded"));
    let (passed, held, watch) = watched(Form::Messages, &[start, delta, over, stop]);
    assert_eq!(passed, [start, delta, over].concat());
    assert_eq!(held, stop);
    assert!(watch.is_whole());
    let usage = watch.usage().unwrap().usage;
    assert_eq!((usage.input_tokens, usage.output_tokens), (3, 2));
    let (_, _, cut) = watched(Form::Messages, &[start, delta, over]);
    assert!(!cut.is_whole());
}

#[test]
fn a_stream_of_geminis_is_whole_with_a_finish_that_nothing_follows() {
    let first = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}],\"usageMetadata\":{\"promptTokenCount\":3}}\r\n\r\n";
    let last = "data: {\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":5}}\r\n\r\n";
    let form = Form::StreamGenerateContent;
    let (passed, held, watch) = watched(form, &[first, last]);
    assert_eq!((passed.as_str(), held.as_str()), (first, last));
    assert!(watch.is_whole());
    assert_eq!(watch.usage().unwrap().usage.output_tokens, 5);
    // What was taken for the last goes before what follows it, in one piece or in several.
    let all = [first, last, first].concat();
    for events in [&[first, last, first][..], &[&all]] {
        let (passed, held, _) = watched(form, events);
        assert_eq!(passed + &held, all);
    }
    let (_, _, cut) = watched(form, &[first]);
    assert!(!cut.is_whole());
}

#[test]
fn a_response_is_whole_when_it_is_completed() {
    let created = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"usage\":null}}\n\n";
    let delta = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n";
    let completed = "data: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}}\n\n";
    let (passed, held, watch) = watched(Form::Responses, &[created, delta, completed]);
    assert_eq!(passed, [created, delta].concat());
    assert_eq!(held, completed);
    assert!(watch.is_whole());
    assert_eq!(watch.usage().unwrap().usage.input_tokens, 3);
    let (passed, held, _) = watched(Form::Responses, &[created, delta, completed, DONE]);
    assert_eq!(passed + &held, [created, delta, completed, DONE].concat());
}
