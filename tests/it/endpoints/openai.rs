//! OpenAI's endpoints.

use serde_json::json;

use super::{Answered, JSON, Row};

const MULTIPART: &str = "multipart/form-data; boundary=----7e1f";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = texts();
    rows.extend(others());
    rows.extend(sounds());
    rows.extend(pictures());
    rows
}

fn row(path: &'static str, model: (&'static str, &'static str)) -> Row {
    Row {
        provider: "openai",
        path: path.into(),
        upstream_path: path,
        model,
        content_type: JSON,
        body: b"".as_slice().into(),
        answer: Answered::Events(&[]),
        usage: json!({}),
        source: "reported",
        endpoint: "",
    }
}

const MINI: (&str, &str) = ("openai/gpt-4o-mini", "gpt-4o-mini");
const INSTRUCT: (&str, &str) = ("openai/gpt-3.5-turbo-instruct", "gpt-3.5-turbo-instruct");

fn texts() -> Vec<Row> {
    let chat = Row {
        usage: json!({"input": 6, "cache_read": 4, "output": 5, "reasoning": 3}),
        endpoint: "chat.completions",
        ..row("/v1/chat/completions", MINI)
    };
    let completions = Row {
        usage: json!({"input": 5, "output": 7}),
        endpoint: "completions",
        ..row("/v1/completions", INSTRUCT)
    };
    let responses = Row {
        usage: json!({"input": 6, "cache_read": 4, "output": 5, "reasoning": 3}),
        endpoint: "responses",
        ..row("/v1/responses", ("openai/gpt-5-mini", "gpt-5-mini"))
    };
    vec![
        Row {
            body: br#"{ "x_new":[1.0,null], "model":"openai/gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}"#.as_slice().into(),
            answer: Answered::Plain(JSON, br#"{"id":"c1", "object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","x_deep":{"a":1.50}},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens":8,"completion_tokens_details":{"reasoning_tokens":3},"total_tokens":18}}"#),
            ..chat.clone()
        },
        Row {
            body: br#"{"model":"openai/gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#.as_slice().into(),
            answer: Answered::Events(&[
                ": waiting\n\n",
                "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"H\"}}]}\n\n",
                "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"i\"},\"finish_reason\":\"stop\"}], \"x_new\":1.50}\n\n",
                "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens\":8,\"completion_tokens_details\":{\"reasoning_tokens\":3},\"total_tokens\":18}}\n\n",
                "data: [DONE]\n\n",
            ]),
            ..chat
        },
        Row {
            body: br#"{"model": "openai/gpt-3.5-turbo-instruct", "prompt":"Once", "best_of":1}"#.as_slice().into(),
            answer: Answered::Plain(JSON, br#"{"id":"t1","object":"text_completion","choices":[{"index":0,"text":" upon","finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#),
            ..completions.clone()
        },
        Row {
            body: br#"{"model": "openai/gpt-3.5-turbo-instruct", "prompt":"Once","stream":true,"stream_options":{"include_usage":true}}"#.as_slice().into(),
            answer: Answered::Events(&[
                "data: {\"id\":\"t1\",\"choices\":[{\"index\":0,\"text\":\" upon\",\"finish_reason\":\"stop\"}]}\n\n",
                "data: {\"id\":\"t1\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12}}\n\n",
                "data: [DONE]\n\n",
            ]),
            ..completions
        },
        Row {
            body: br#"{"model":"openai/gpt-5-mini","input":"hi","reasoning":{"effort":"low"}}"#.as_slice().into(),
            answer: Answered::Plain(JSON, br#"{"id":"r1","object":"response","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hi","annotations":[]}]}],"usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":3},"total_tokens":18}}"#),
            ..responses.clone()
        },
        Row {
            body: br#"{"model":"openai/gpt-5-mini","input":"hi","stream":true}"#.as_slice().into(),
            answer: Answered::Events(&[
                "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r1\",\"status\":\"in_progress\",\"output\":[]}}\n\n",
                "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"Hi\"}\n\n",
                "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r1\",\"status\":\"completed\",\"output\":[],\"usage\":{\"input_tokens\":10,\"input_tokens_details\":{\"cached_tokens\":4},\"output_tokens\":8,\"output_tokens_details\":{\"reasoning_tokens\":3},\"total_tokens\":18}}}\n\n",
            ]),
            ..responses
        },
    ]
}

fn others() -> Vec<Row> {
    vec![
        Row {
            body: br#"{"model":"openai/text-embedding-3-small","input":["one","two"],"dimensions":2}"#.as_slice().into(),
            answer: Answered::Plain(JSON, br#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-0.2]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":5,"total_tokens":5}}"#),
            usage: json!({"input": 5}),
            endpoint: "embeddings",
            ..row(
                "/v1/embeddings",
                ("openai/text-embedding-3-small", "text-embedding-3-small"),
            )
        },
        Row {
            body: br#"{"model":"openai/gpt-image-1","prompt":"A key","size":"1024x1024","quality":"low"}"#.as_slice().into(),
            answer: Answered::Plain(JSON, br#"{"created":1,"data":[{"b64_json":"iVBORw0="}],"usage":{"input_tokens":13,"input_tokens_details":{"text_tokens":13,"image_tokens":0},"output_tokens":272,"total_tokens":285}}"#),
            usage: json!({"input": 13, "output_image": 272, "images": 1}),
            endpoint: "images.generations",
            ..row(
                "/v1/images/generations",
                ("openai/gpt-image-1", "gpt-image-1"),
            )
        },
        Row {
            body: br#"{"model":"openai/omni-moderation-latest","input":"hi"}"#.as_slice().into(),
            answer: Answered::Plain(JSON, br#"{"id":"m1","model":"omni-moderation-latest","results":[{"flagged":false,"category_scores":{"hate":1.0e-7}}]}"#),
            endpoint: "moderations",
            ..row(
                "/v1/moderations",
                (
                    "openai/omni-moderation-latest",
                    "omni-moderation-latest",
                ),
            )
        },
    ]
}

/// A file in parts whose bytes are no text.
const SOUND: &[u8] = b"------7e1f\r\nContent-Disposition: form-data; name=\"file\"; \
filename=\"a.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n\xff\xfb\x00\r\n--\x80\xfe\r\n------7e1f\r\n\
Content-Disposition: form-data; name=\"model\"\r\n\r\nopenai/whisper-1\r\n------7e1f\r\n\
Content-Disposition: form-data; name=\"x_new\"\r\n\r\n1\r\n------7e1f--\r\n";
const WHISPER: (&str, &str) = ("openai/whisper-1", "whisper-1");

fn sounds() -> Vec<Row> {
    let written = Row {
        content_type: MULTIPART,
        body: SOUND.into(),
        usage: json!({"audio_ms": 3000}),
        ..row("/v1/audio/transcriptions", WHISPER)
    };
    vec![
        Row {
            body: r#"{"model":"openai/tts-1","input":"Grüße","voice":"alloy"}"#
                .as_bytes()
                .into(),
            answer: Answered::Plain("audio/mpeg", b"\xff\xfb\x90\x00\x00\x80ID3\r\n\r\n\xfe"),
            usage: json!({"characters": 5, "audio_ms": 1, "input": 6}),
            source: "estimated",
            endpoint: "audio.speech",
            ..row("/v1/audio/speech", ("openai/tts-1", "tts-1"))
        },
        Row {
            answer: Answered::Plain(
                JSON,
                br#"{"text":"Hello", "usage":{"type":"duration","seconds":3}}"#,
            ),
            endpoint: "audio.transcriptions",
            ..written.clone()
        },
        Row {
            path: "/v1/audio/translations".into(),
            upstream_path: "/v1/audio/translations",
            answer: Answered::Plain(JSON, br#"{"text":"Hello", "duration":2.9999}"#),
            endpoint: "audio.translations",
            ..written
        },
    ]
}

const PICTURE: &[u8] = b"------7e1f\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n\
openai/gpt-image-1\r\n------7e1f\r\nContent-Disposition: form-data; name=\"image\"; \
filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n\xff\xfe\r\n------7e1f\r\n\
Content-Disposition: form-data; name=\"prompt\"\r\n\r\nA key\r\n------7e1f--\r\n";

fn pictures() -> Vec<Row> {
    let edits = Row {
        content_type: MULTIPART,
        body: PICTURE.into(),
        answer: Answered::Plain(JSON, br#"{"created":1,"data":[{"b64_json":"iVBORw0="}],"usage":{"input_tokens":20,"input_tokens_details":{"text_tokens":8,"image_tokens":12},"output_tokens":272,"total_tokens":292}}"#),
        usage: json!({"input": 8, "input_image": 12, "output_image": 272, "images": 1}),
        endpoint: "images.edits",
        ..row("/v1/images/edits", ("openai/gpt-image-1", "gpt-image-1"))
    };
    let variations = Row {
        path: "/v1/images/variations".into(),
        upstream_path: "/v1/images/variations",
        endpoint: "images.variations",
        ..edits.clone()
    };
    vec![edits, variations]
}
