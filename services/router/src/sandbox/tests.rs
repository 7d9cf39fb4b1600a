use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::*;

async fn ask(key: &str, body: &str) -> Response<SandboxBody> {
    let body = UpstreamBody::new(vec![Bytes::copy_from_slice(body.as_bytes())]);
    answer(Form::Chat, &Secret::new(key), &body).await
}

async fn text(response: Response<SandboxBody>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

const ECHO: &str = r#"{"model":"sandbox/echo","messages":[{"role":"system","content":"be brief"},
    {"role":"user","content":"one two three"}]}"#;

#[tokio::test]
async fn echo_answers_the_last_user_message_and_counts_words() {
    let response = ask("sk-sandbox-1", ECHO).await;
    assert_eq!(response.status(), 200);
    let answer: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "one two three");
    assert_eq!(answer["model"], "sandbox/echo");
    let usage = serde_json::json!({"prompt_tokens":5,"completion_tokens":3,"total_tokens":8});
    assert_eq!(answer["usage"], usage);
}

#[tokio::test]
async fn keys_and_models_fail_as_they_are_named() {
    let cases = [
        ("sk-sandbox-revoked", "echo", 401),
        ("sk-sandbox-empty", "echo", 402),
        ("sk-sandbox-limited", "echo", 429),
        ("sk-other", "echo", 401),
        ("sk-sandbox-1", "status-418", 418),
        ("sk-sandbox-1", "status-599", 599),
        ("sk-sandbox-1", "status-600", 404),
        ("sk-sandbox-1", "nothing", 404),
    ];
    for (key, model, status) in cases {
        let response = ask(key, &ECHO.replace("echo", model)).await;
        assert_eq!(response.status(), status, "{key} {model}");
        assert!(text(response).await.starts_with(r#"{"error":{"message":"#));
    }
}

#[tokio::test]
async fn a_stream_is_words_then_usage_then_done() {
    let body = ECHO.replace(
        r#""model":"#,
        r#""stream":true,"stream_options":{"include_usage":true},"model":"#,
    );
    let text = text(ask("sk-sandbox-1", &body).await).await;
    let events: Vec<&str> = text.split_terminator("\n\n").collect();
    assert_eq!(events.len(), 7);
    assert!(events[2].contains(r#""content":" two""#));
    assert!(events[4].contains(r#""finish_reason":"stop""#));
    assert!(events[5].contains(r#""choices":[],"usage":{"#));
    assert_eq!(events[6], "data: [DONE]");
}

#[tokio::test]
async fn a_bare_name_is_understood_and_answered_in_full() {
    let bare = ECHO.replace("sandbox/", "");
    let answer = text(ask("sk-sandbox-1", &bare).await).await;
    assert_eq!(answer, text(ask("sk-sandbox-1", ECHO).await).await);
    assert!(answer.contains(r#""model":"sandbox/echo""#), "{answer}");
}

#[tokio::test]
async fn a_long_answer_is_written_as_it_is_read() {
    let words = "a ".repeat(1_000_000);
    let body = format!(
        r#"{{"model":"sandbox/echo","stream":true,"messages":[{{"role":"user","content":"{words}"}}]}}"#
    );
    let mut answer = ask("sk-sandbox-1", &body).await.into_body();
    for _ in 0..3 {
        let frame = answer.frame().await.unwrap().unwrap();
        assert!(frame.into_data().unwrap().len() < 300);
    }
}

#[tokio::test]
async fn lorem_is_as_long_as_asked() {
    let count = |text: String| {
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        answer["usage"]["completion_tokens"].as_u64().unwrap()
    };
    let body = ECHO.replace("echo", "lorem");
    assert_eq!(count(text(ask("sk-sandbox-1", &body).await).await), 64);
    let body = body.replace(r#""model""#, r#""max_tokens":9,"model""#);
    assert_eq!(count(text(ask("sk-sandbox-1", &body).await).await), 9);
}

#[tokio::test]
async fn cut_breaks_off_plain_and_streamed() {
    let body = ECHO.replace("echo", "cut");
    assert!(
        ask("sk-sandbox-1", &body)
            .await
            .into_body()
            .collect()
            .await
            .is_err()
    );
    let body = body.replace(r#""model""#, r#""stream":true,"model""#);
    assert!(
        ask("sk-sandbox-1", &body)
            .await
            .into_body()
            .collect()
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn slow_waits_between_words_and_hang_for_ever() {
    let start = tokio::time::Instant::now();
    text(ask("sk-sandbox-1", &ECHO.replace("echo", "slow")).await).await;
    assert_eq!(start.elapsed().as_millis(), 100);
    let hang = ECHO.replace("echo", "hang");
    let hanging = ask("sk-sandbox-1", &hang);
    assert!(
        tokio::time::timeout(Duration::from_hours(1), hanging)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn embeddings_follow_from_the_text_and_count_its_words() {
    let embed = async |input: &str| {
        let body = format!(r#"{{"model":"sandbox/echo","input":{input}}}"#);
        let body = UpstreamBody::new(vec![body.into()]);
        let key = Secret::new("sk-sandbox-a");
        let answer = answer(Form::Embeddings, &key, &body).await;
        let text = text(answer).await;
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let one = embed(r#""one two""#).await;
    assert_eq!(one["usage"]["prompt_tokens"], 2);
    assert_eq!(one["data"][0]["embedding"].as_array().unwrap().len(), 8);
    let both = embed(r#"["one two","three"],"dimensions":4"#).await;
    assert_eq!(both["usage"]["prompt_tokens"], 3);
    let first = &both["data"][0]["embedding"];
    assert_eq!(first[3], one["data"][0]["embedding"][3]);
    assert_ne!(*first, both["data"][1]["embedding"]);
    let packed = embed(r#""one two","encoding_format":"base64""#).await;
    assert_eq!(packed["data"][0]["embedding"].as_str().unwrap().len(), 44);
}
