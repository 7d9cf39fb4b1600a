//! What large requests and slow readers make of a process's memory: the edge passes a body on as it
//! comes, the router holds it, and an answer that nobody reads is not read from the provider either.

use std::fs;
use std::time::Duration;

use http::Method;
use keyward_testkit::upstream::Script;
use keyward_testkit::{Client, Role, Tenant, Topology};
use serde_json::json;

use crate::served::MODEL;
use crate::system::System;

const MIB: usize = 1024 * 1024;
/// How many large bodies are on their way at once.
const AT_ONCE: usize = 4;
/// The largest.
const BODY_BYTES: usize = 32 * MIB;
/// What the router may use for one: the body, and what growing it leaves behind.
const ROUTER_BODIES: usize = 2;
/// What else may come and go.
const SLACK: usize = 48 * MIB;

/// What a process has used of memory, in bytes.
fn memory(process: u32, field: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<usize>().unwrap() * 1024
}

fn now(process: u32) -> usize {
    memory(process, "VmRSS")
}

fn most(process: u32) -> usize {
    memory(process, "VmHWM")
}

/// Uploads as large as OpenAI takes, in parts.
fn sound(bytes: usize) -> Vec<u8> {
    let head = "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n\
        --b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\n";
    [head.as_bytes(), &vec![7; bytes], b"\r\n--b--\r\n"].concat()
}

async fn sent(client: &Client, path: &str, body: Vec<u8>) {
    let sending = (0..AT_ONCE).map(|_| client.send(Method::POST, path, body.clone()));
    for answer in futures::future::join_all(sending).await {
        let text: String = answer.text().chars().take(300).collect();
        assert!(answer.status.is_success(), "{path}: {text}");
    }
}

#[tokio::test]
async fn large_bodies_pass_the_edge_and_are_held_by_the_router_alone() {
    let system = System::own(Topology::Split, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    tenant.grant("1000").await;
    let _ = tenant.client.chat(MODEL, "hello").await.ok();
    let processes = [Role::Edge, Role::Router].map(|role| system.gateway.process_id(role));
    let before = processes.map(now);

    // A prompt of a mebibyte is counted, for credits.
    let prompt = "some words of a prompt ".repeat(MIB / 23);
    let asked = keyward_testkit::client::ask(MODEL, &prompt).to_string();
    sent(&tenant.client, "/v1/chat/completions", asked.into_bytes()).await;

    // What is larger holds images, and an own key's provider counts.
    let (_, key) = tenant.own_key("openai").await;
    let image = format!("data:image/png;base64,{}", "A".repeat(BODY_BYTES - 1024));
    let asked = json!({"model": MODEL, "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": image}},
    ]}]});
    let body = asked.to_string().into_bytes();
    sent(&tenant.client, "/v1/chat/completions", body).await;

    let heard = Script::given(
        200,
        "application/json",
        r#"{"text":"a","usage":{"type":"duration","seconds":1}}"#,
    );
    system.providers.openai.script(&key, heard);
    let parts = tenant
        .client
        .with("content-type", "multipart/form-data; boundary=b");
    sent(&parts, "/v1/audio/transcriptions", sound(25 * MIB)).await;

    let bounds = [SLACK, AT_ONCE * ROUTER_BODIES * BODY_BYTES + SLACK];
    for ((process, before), bound) in processes.into_iter().zip(before).zip(bounds) {
        let grown = most(process) - before;
        assert!(
            grown < bound,
            "{} MiB grew by {}",
            before / MIB,
            grown / MIB
        );
    }
}

#[tokio::test]
async fn a_slow_reader_grows_nobodys_memory() {
    let system = System::own(Topology::Split, |launch| launch).await;
    let tenant = Tenant::new(&system.gateway, "professional").await;
    let (_, key) = tenant.own_key("openai").await;
    let _ = tenant.client.chat(MODEL, "hello").await.ok();
    // Events of a kibibyte, 48 MiB in all.
    let word = "x".repeat(1023) + " ";
    system
        .providers
        .openai
        .script(&key, Script::ok(&word.repeat(48 * 1024)));

    let processes = [Role::Edge, Role::Router].map(|role| system.gateway.process_id(role));
    let before = processes.map(now);
    let mut stream = tenant.client.chat_stream(MODEL, "at length").await;
    for _ in 0..10 {
        // A kibibyte a second takes long to show: ten times that is slow, too.
        assert!(stream.next().await.is_some());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for (process, before) in processes.into_iter().zip(before) {
        let grown = now(process).saturating_sub(before);
        assert!(grown < 16 * MIB, "it grew by {} MiB", grown / MIB);
    }
    // And it goes on for who reads on.
    for _ in 0..1_000 {
        assert!(stream.next_content().await.is_some());
    }
}
