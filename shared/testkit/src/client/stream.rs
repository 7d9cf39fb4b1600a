//! A streamed answer, read event by event.

use bytes::BytesMut;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;

use super::Answer;

/// A streamed answer.
#[derive(Debug)]
pub struct Stream {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    unread: BytesMut,
    /// Every event so far, without the blank line that ends it.
    events: Vec<String>,
    /// Whether the connection broke before the body's end.
    broken: bool,
}

impl Stream {
    pub(super) fn of(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            body,
            unread: BytesMut::new(),
            events: Vec::new(),
            broken: false,
        }
    }

    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        super::header(&self.headers, name)
    }

    /// The next event as it came; `None` at the end.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(event) = self.split() {
                self.events.push(event.clone());
                return Some(event);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.unread.extend_from_slice(data);
                    }
                }
                Some(Err(_)) => {
                    self.broken = true;
                    return None;
                }
                None => return None,
            }
        }
    }

    fn split(&mut self) -> Option<String> {
        let end = |separator: &[u8]| {
            let start = memchr::memmem::find(&self.unread, separator)?;
            Some((start, separator.len()))
        };
        let ends = [end(b"\n\n"), end(b"\r\n\r\n")];
        let (start, length) = ends.into_iter().flatten().min()?;
        let event = self.unread.split_to(start);
        let _ = self.unread.split_to(length);
        Some(String::from_utf8_lossy(&event).into_owned())
    }

    /// The next event that carries content: what it says. `None` at the end.
    pub async fn next_content(&mut self) -> Option<String> {
        while let Some(event) = self.next().await {
            if let Some(content) = content(&event) {
                return Some(content);
            }
        }
        None
    }

    /// Reads to the end.
    pub async fn finish(mut self) -> Finished {
        while self.next().await.is_some() {}
        Finished {
            answer: Answer {
                status: self.status,
                headers: self.headers,
                body: self.unread.freeze(),
            },
            events: self.events,
            broken: self.broken,
        }
    }
}

/// A streamed answer that has been read to its end.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Status and headers, and what followed the last whole event: all of the body where it was no
    /// event stream.
    pub answer: Answer,
    /// The events, without the blank lines that end them.
    pub events: Vec<String>,
    /// Whether the connection broke before the body's end.
    pub broken: bool,
}

impl Finished {
    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.answer.header(name)
    }

    /// What the assistant said.
    pub fn content(&self) -> String {
        self.events
            .iter()
            .filter_map(|event| content(event))
            .collect()
    }

    /// The chunks as JSON, without `[DONE]`.
    pub fn chunks(&self) -> Vec<Value> {
        self.events.iter().filter_map(|event| json(event)).collect()
    }

    /// The charge that the comment before the end tells.
    #[track_caller]
    pub fn charged(&self) -> String {
        let lines = self.events.iter().flat_map(|event| event.lines());
        let comments: Vec<&str> = lines
            .filter_map(|line| line.strip_prefix(": x-credits-charged "))
            .collect();
        assert_eq!(comments.len(), 1, "one comment: {:?}", self.events);
        comments[0].to_owned()
    }

    /// Whether it ended with `[DONE]`.
    pub fn is_done(&self) -> bool {
        let last = self.events.last();
        last.is_some_and(|event| event.lines().any(|line| line.trim() == "data: [DONE]"))
    }
}

fn json(event: &str) -> Option<Value> {
    let line = event.lines().find_map(|line| line.strip_prefix("data:"))?;
    serde_json::from_str(line.trim()).ok()
}

fn content(event: &str) -> Option<String> {
    let chunk = json(event)?;
    let content = chunk["choices"][0]["delta"]["content"].as_str()?;
    (!content.is_empty()).then(|| content.to_owned())
}
