//! Typed conversations, with providers of two forms.

mod ended;
mod sent;
mod settings;
mod stored;
mod told;

use keyward_proto::router::v1 as proto;
use keyward_proto::router::v1::chat_part::Content;
use keyward_proto::router::v1::chat_response::Event;
use keyward_runtime::error::WireError;
use tonic::{Status, Streaming};

use crate::harness::Harness;

const GPT: &str = "gpt-4o";
const CLAUDE: &str = "claude-sonnet-4-5";
/// Where Anthropic is asked.
const MESSAGES: &str = "/anthropic/v1/messages";

/// What a call was told.
#[derive(Debug)]
struct Told {
    head: proto::ChatHead,
    events: Vec<Event>,
    summary: Option<proto::ChatSummary>,
    /// How it ended, if not well.
    failure: Option<WireError>,
}

/// A router with a caller's own keys for both.
async fn serving() -> Harness {
    let harness = Harness::start().await;
    harness.own_key("openai");
    harness.own_key("anthropic");
    harness
}

fn part(content: Content) -> proto::ChatPart {
    proto::ChatPart {
        content: Some(content),
        cache: 0,
    }
}

fn says(role: proto::ChatRole, contents: impl IntoIterator<Item = Content>) -> proto::ChatMessage {
    proto::ChatMessage {
        role: role.into(),
        parts: contents.into_iter().map(part).collect(),
    }
}

/// A user says one thing to a model.
fn hello(model: &str) -> proto::ChatRequest {
    proto::ChatRequest {
        model: model.to_owned(),
        messages: vec![says(
            proto::ChatRole::User,
            [Content::Text("hello".to_owned())],
        )],
        tags: [("team".to_owned(), "search".to_owned())].into(),
        client_request_id: "mine".to_owned(),
        ..proto::ChatRequest::default()
    }
}

async fn begin(
    harness: &Harness,
    request: proto::ChatRequest,
) -> Result<Streaming<proto::ChatResponse>, Status> {
    let response = harness.client.clone().chat(request).await?;
    Ok(response.into_inner())
}

async fn chat(harness: &Harness, request: proto::ChatRequest) -> Result<Told, WireError> {
    let events = begin(harness, request).await;
    Ok(all(events.map_err(|status| WireError::from(&status))?).await)
}

async fn all(mut responses: Streaming<proto::ChatResponse>) -> Told {
    let (mut events, mut failure) = (Vec::new(), None);
    loop {
        match responses.message().await {
            Ok(Some(response)) => events.push(response.event.unwrap()),
            Ok(None) => break,
            Err(status) => {
                failure = Some(WireError::from(&status));
                break;
            }
        }
    }
    let Event::Head(head) = events.remove(0) else {
        panic!("the head comes first");
    };
    let summary = match events.last() {
        Some(Event::Summary(summary)) => Some(summary.clone()),
        _ => None,
    };
    events.truncate(events.len() - usize::from(summary.is_some()));
    Told {
        head,
        events,
        summary,
        failure,
    }
}
