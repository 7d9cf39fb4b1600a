//! Embeddings, images and counts of tokens at providers that have them in another form.

use http::Method;
use keyward_testkit::{Answer, Client, Script, Tenant, Topology};
use serde_json::{Value, json};

use crate::system::{both, shared};

/// A call, and how its provider is asked and answers.
struct Row {
    provider: &'static str,
    /// Where the gateway is asked, and what.
    path: &'static str,
    body: Value,
    /// Where the provider is asked, and what.
    upstream_path: &'static str,
    sent: Value,
    /// What it answers, and what becomes of that.
    answers: Value,
    told: Value,
    /// What the record says of it, where that is not 0.
    used: Value,
    /// Where the record has that from.
    source: &'static str,
    endpoint: &'static str,
}

impl Row {
    async fn call(&self, caller: &Client) -> Answer {
        caller.post(self.path, self.body.clone()).await
    }
}

const GEMINI: &str = "google/gemini-embedding-001";
const SMALL: &str = "openai/text-embedding-3-small";
const DRAWING: &str = "google/gemini-2.5-flash-image";
const IMAGEN: &str = "google/imagen-3.0-generate-002";

fn rows() -> Vec<Row> {
    [
        embeddings_at_google(),
        embeddings_at_openai(),
        images(),
        drawings(),
        counts(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn embeddings_at_google() -> Vec<Row> {
    let request = |text: &str| json!({"model": "models/gemini-embedding-001", "content": {"parts": [{"text": text}]}});
    let upstream_path = "/v1beta/models/gemini-embedding-001:batchEmbedContents";
    let told = |vectors: &[Value], tokens: u64| {
        let data = vectors.iter().zip(0_u32..).map(
            |(vector, index)| json!({"object": "embedding", "index": index, "embedding": vector}),
        );
        json!({
            "object": "list", "data": data.collect::<Vec<_>>(), "model": "gemini-embedding-001",
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        })
    };
    let mut small = request("a");
    small["outputDimensionality"] = json!(2);
    vec![
        Row {
            provider: "google",
            path: "/v1/embeddings",
            body: json!({"model": GEMINI, "input": ["a", "b"]}),
            upstream_path,
            sent: json!({"requests": [request("a"), request("b")]}),
            answers: json!({
                "embeddings": [{"values": [0.5, -1]}, {"values": [2, 0.25]}],
                "usageMetadata": {"promptTokenCount": 5},
            }),
            told: told(&[json!([0.5, -1]), json!([2, 0.25])], 5),
            used: json!({"input": 5}),
            source: "reported",
            endpoint: "embeddings",
        },
        Row {
            provider: "google",
            path: "/v1/embeddings",
            body: json!({
                "model": GEMINI, "input": "a", "dimensions": 2, "encoding_format": "base64",
            }),
            upstream_path,
            sent: json!({"requests": [small]}),
            answers: json!({"embeddings": [{"values": [0.5, -1]}]}),
            // By our own count.
            told: told(&[json!("AAAAPwAAgL8=")], 4),
            used: json!({"input": 4}),
            source: "estimated",
            endpoint: "embeddings",
        },
    ]
}

fn embeddings_at_openai() -> Vec<Row> {
    let vector = |index: u32, vector: [f32; 2]| json!({"object": "embedding", "index": index, "embedding": vector});
    let content = |text: &str| json!({"parts": [{"text": text}]});
    let answers = |data: &[Value]| {
        json!({
            "object": "list", "data": data, "model": "text-embedding-3-small",
            "usage": {"prompt_tokens": 3, "total_tokens": 3},
        })
    };
    let within = |text: &str| json!({"model": format!("models/{SMALL}"), "content": content(text)});
    let sent = |input: Value| json!({"model": "text-embedding-3-small", "input": input, "encoding_format": "float"});
    vec![
        Row {
            provider: "openai",
            path: "/v1beta/models/openai/text-embedding-3-small:embedContent",
            body: json!({"content": content("a")}),
            upstream_path: "/v1/embeddings",
            sent: sent(json!(["a"])),
            answers: answers(&[vector(0, [0.5, -1.0])]),
            told: json!({"embedding": {"values": [0.5, -1.0]}}),
            used: json!({"input": 3}),
            source: "reported",
            endpoint: "embeddings",
        },
        Row {
            provider: "openai",
            path: "/v1beta/models/openai/text-embedding-3-small:batchEmbedContents",
            body: json!({"requests": [within("a"), within("b")]}),
            upstream_path: "/v1/embeddings",
            sent: sent(json!(["a", "b"])),
            answers: answers(&[vector(0, [0.5, -1.0]), vector(1, [2.0, 0.25])]),
            told: json!({"embeddings": [{"values": [0.5, -1.0]}, {"values": [2.0, 0.25]}]}),
            used: json!({"input": 3}),
            source: "reported",
            endpoint: "embeddings",
        },
    ]
}

fn images() -> Vec<Row> {
    let image = json!({"bytesBase64Encoded": "iVBO", "mimeType": "image/png"});
    let told = json!({"b64_json": "iVBO"});
    let row = |members: Value, parameters: Value, images: usize| {
        let mut body = json!({"model": IMAGEN, "prompt": "A boat"});
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        Row {
            provider: "google",
            path: "/v1/images/generations",
            body,
            upstream_path: "/v1beta/models/imagen-3.0-generate-002:predict",
            sent: json!({"instances": [{"prompt": "A boat"}], "parameters": parameters}),
            answers: json!({"predictions": vec![image.clone(); images]}),
            told: json!({"data": vec![told.clone(); images]}),
            used: json!({"images": images}),
            source: "reported",
            endpoint: "images.generations",
        }
    };
    vec![
        row(
            json!({"n": 2, "size": "1792x1024"}),
            json!({"sampleCount": 2, "aspectRatio": "16:9"}),
            2,
        ),
        row(
            json!({"aspect_ratio": "3:4", "response_format": "b64_json"}),
            json!({"sampleCount": 1, "aspectRatio": "3:4"}),
            1,
        ),
    ]
}

/// Of a model of Gemini's that makes images, and says something beside them.
fn drawings() -> Vec<Row> {
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "iVBO"}});
    let counted =
        |modality: &str, tokens: u64| json!([{"modality": modality, "tokenCount": tokens}]);
    let answers = json!({
        "candidates": [{
            "content": {"parts": [{"text": "Here:"}, image], "role": "model"}, "finishReason": "STOP",
        }],
        "usageMetadata": {
            "promptTokenCount": 4, "candidatesTokenCount": 1292,
            "promptTokensDetails": counted("TEXT", 4),
            "candidatesTokensDetails": counted("IMAGE", 1290),
        },
    });
    let told = json!({
        "data": [{"b64_json": "iVBO"}],
        "output_format": "png",
        "usage": {
            "input_tokens": 4, "output_tokens": 1292, "total_tokens": 1296,
            "input_tokens_details": {"text_tokens": 4, "image_tokens": 0},
            "output_tokens_details": {"text_tokens": 2, "image_tokens": 1290},
        },
    });
    let row = |path, body, said: Value, image: Value| Row {
        provider: "google",
        path,
        body,
        upstream_path: "/v1beta/models/gemini-2.5-flash-image:generateContent",
        sent: json!({
            "contents": [{"role": "user", "parts": said}],
            "generationConfig": {"responseModalities": ["TEXT", "IMAGE"], "imageConfig": image},
        }),
        answers: answers.clone(),
        told: told.clone(),
        used: json!({"input": 4, "output": 2, "output_image": 1290, "images": 1}),
        source: "reported",
        endpoint: match path {
            "/v1/images/edits" => "images.edits",
            _ => "images.generations",
        },
    };
    vec![
        row(
            "/v1/images/generations",
            json!({"model": DRAWING, "prompt": "A boat", "size": "1536x1024"}),
            json!([{"text": "A boat"}]),
            json!({"aspectRatio": "3:2"}),
        ),
        row(
            "/v1/images/edits",
            json!({
                "model": DRAWING, "prompt": "Paint it red", "aspect_ratio": "9:16",
                "images": [{"image_url": "data:image/png;base64,iVBO"}],
            }),
            json!([
                {"text": "Paint it red"},
                {"inlineData": {"mimeType": "image/png", "data": "iVBO"}},
            ]),
            json!({"aspectRatio": "9:16"}),
        ),
    ]
}

fn counts() -> Vec<Row> {
    let anthropic = json!({"messages": [{"role": "user", "content": "Hi"}]});
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]});
    let with_model = |body: &Value, model: &str| {
        let mut body = body.clone();
        body["model"] = json!(model);
        body
    };
    vec![
        Row {
            provider: "google",
            path: "/v1/messages/count_tokens",
            body: with_model(&anthropic, "google/gemini-2.5-flash-lite"),
            upstream_path: "/v1beta/models/gemini-2.5-flash-lite:countTokens",
            sent: json!({
                "generateContentRequest": with_model(&gemini, "models/gemini-2.5-flash-lite"),
            }),
            answers: json!({"totalTokens": 9}),
            told: json!({"input_tokens": 9}),
            used: json!({}),
            source: "reported",
            endpoint: "count_tokens",
        },
        Row {
            provider: "anthropic",
            path: "/v1beta/models/anthropic/claude-sonnet-4-5:countTokens",
            body: gemini,
            upstream_path: "/v1/messages/count_tokens",
            sent: with_model(&anthropic, "claude-sonnet-4-5"),
            answers: json!({"input_tokens": 9}),
            told: json!({"totalTokens": 9}),
            used: json!({}),
            source: "reported",
            endpoint: "count_tokens",
        },
    ]
}

async fn what_another_form_has_too_is_asked_for_in_it_and_recorded(topology: Topology) {
    let system = shared(topology).await;
    for row in rows() {
        let tenant = Tenant::new(&system.gateway, "trial").await;
        let (_, key) = tenant.own_key(row.provider).await;
        let upstream = system.providers.named(row.provider);
        let answers = row.answers.to_string();
        upstream.script(&key, Script::given(200, "application/json", answers));
        let answer = row.call(&tenant.client).await.ok();
        let mut told = answer.json();
        if row.endpoint.starts_with("images.") {
            let made = told.as_object_mut().unwrap().remove("created");
            assert!(made.unwrap().is_u64());
        }
        assert_eq!(told, row.told, "{}", row.path);
        let sent = upstream.requests_with(&key).pop().unwrap();
        assert_eq!(sent.path, row.upstream_path);
        assert_eq!(sent.json(), row.sent, "{}", row.path);
        let record = &tenant.records().await[0];
        let counts = record["usage"].as_object().unwrap().iter();
        let used: serde_json::Map<_, _> = counts
            .filter(|(_, count)| **count != 0)
            .map(|(name, count)| (name.clone(), count.clone()))
            .collect();
        assert_eq!(Value::from(used), row.used, "{record}");
        assert_eq!(record["usage_source"], row.source, "{record}");
        assert_eq!(record["endpoint"], row.endpoint, "{record}");
    }
}

async fn what_the_other_form_lacks_is_refused_by_name_or_left_out(topology: Topology) {
    let system = shared(topology).await;
    for mut row in rows() {
        let (member, value) = match row.endpoint {
            "embeddings" if row.provider == "google" => ("truncate", json!("END")),
            "embeddings" if row.path.ends_with(":embedContent") => ("title", json!("T")),
            "images.generations" | "images.edits" => ("quality", json!("hd")),
            _ => continue,
        };
        let tenant = Tenant::new(&system.gateway, "trial").await;
        let (_, key) = tenant.own_key(row.provider).await;
        let upstream = system.providers.named(row.provider);
        let answers = row.answers.to_string();
        upstream.script(&key, Script::given(200, "application/json", answers));
        row.body[member] = value;
        let refused = row.call(&tenant.client).await;
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert!(
            refused.message().contains(&format!("`{member}`")),
            "{}",
            refused.text()
        );
        assert!(upstream.requests_with(&key).is_empty());
        row.body["drop_params"] = json!(true);
        let answer = row.call(&tenant.client).await.ok();
        assert_eq!(answer.header("x-keyward-dropped-params"), member);
        assert_eq!(upstream.requests_with(&key).pop().unwrap().json(), row.sent);
    }
}

async fn an_image_that_is_withheld_is_the_callers_to_mend(topology: Topology) {
    let system = shared(topology).await;
    let finished = json!({"finishReason": "IMAGE_SAFETY", "finishMessage": "It shows a weapon"});
    for (model, withheld) in [
        (
            IMAGEN,
            json!({"predictions": [{"raiFilteredReason": "It shows a weapon"}]}),
        ),
        (DRAWING, json!({"candidates": [finished]})),
    ] {
        let tenant = Tenant::new(&system.gateway, "trial").await;
        let (_, key) = tenant.own_key("google").await;
        let script = Script::given(200, "application/json", withheld.to_string());
        system.providers.google.script(&key, script);
        let body = json!({"model": model, "prompt": "A gun"});
        let answer = tenant.client.post("/v1/images/generations", body).await;
        assert_eq!(answer.error(400), "invalid_request", "{model}");
        assert!(answer.message().contains("It shows a weapon"), "{model}");
    }
}

async fn an_edit_in_parts_reaches_gemini_with_its_image(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("google").await;
    let row = drawings().pop().unwrap();
    let answers = row.answers.to_string();
    let google = &system.providers.google;
    google.script(&key, Script::given(200, "application/json", answers));
    let part = |name: &str, value: &str| {
        format!("--b\r\ncontent-disposition: form-data; name={name}\r\n\r\n{value}\r\n")
    };
    let image = part("image; filename=boat.gif", "GIF89a");
    let texts = [
        ("model", DRAWING),
        ("prompt", "Paint it red"),
        ("aspect_ratio", "9:16"),
    ];
    let texts: String = texts
        .iter()
        .map(|(name, value)| part(name, value))
        .collect();
    let caller = tenant
        .client
        .with("content-type", "multipart/form-data; boundary=b");
    let body = format!("{texts}{image}--b--\r\n");
    let answer = caller.send(Method::POST, "/v1/images/edits", body).await;
    let told = answer.ok().json();
    assert_eq!(told["data"], row.told["data"]);
    // $0.30 a million tokens of the prompt, $2.50 of text and $30 of images.
    let record = &tenant.records().await[0];
    assert_eq!(record["list_cost"], "0.0387062", "{record}");
    let sent = google.requests_with(&key).pop().unwrap().json();
    assert_eq!(sent["generationConfig"], row.sent["generationConfig"]);
    let image = &sent["contents"][0]["parts"][1]["inlineData"];
    assert_eq!(*image, json!({"mimeType": "image/gif", "data": "R0lGODlh"}));
}

async fn a_chat_with_images_carries_them_both_ways(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let (_, key) = tenant.own_key("google").await;
    let row = drawings().remove(0);
    let google = &system.providers.google;
    let answers = row.answers.to_string();
    google.script(&key, Script::given(200, "application/json", answers));
    let body = json!({
        "model": DRAWING, "modalities": ["image", "text"],
        "messages": [{"role": "user", "content": "Draw a boat"}],
    });
    let answer = tenant.client.post("/v1/chat/completions", body).await.ok();
    let message = &answer.json()["choices"][0]["message"];
    assert_eq!(message["content"], "Here:");
    let image = &message["images"][0]["image_url"]["url"];
    assert_eq!(*image, "data:image/png;base64,iVBO");
    let sent = google.requests_with(&key).pop().unwrap().json();
    let wanted = &sent["generationConfig"]["responseModalities"];
    assert_eq!(*wanted, json!(["TEXT", "IMAGE"]));
}

async fn a_count_of_who_cannot_count_is_refused_by_name(topology: Topology) {
    let system = shared(topology).await;
    let tenant = Tenant::new(&system.gateway, "trial").await;
    let _ = tenant.own_key("openai").await;
    let body = json!({
        "model": "openai/gpt-4.1-mini", "messages": [{"role": "user", "content": "Hi"}],
    });
    let answer = tenant.client.post("/v1/messages/count_tokens", body).await;
    assert_eq!(answer.status, 404, "{}", answer.text());
    let message = answer.message();
    assert!(
        message.contains("cannot be called in Anthropic's form of counting tokens"),
        "{message}"
    );
}

both!(
    what_another_form_has_too_is_asked_for_in_it_and_recorded,
    what_the_other_form_lacks_is_refused_by_name_or_left_out,
    an_image_that_is_withheld_is_the_callers_to_mend,
    an_edit_in_parts_reaches_gemini_with_its_image,
    a_chat_with_images_carries_them_both_ways,
    a_count_of_who_cannot_count_is_refused_by_name,
);
