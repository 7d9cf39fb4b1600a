//! How a scene is played in the form of whoever asks.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::asked::Asked;
use crate::call::{Call, Verb};
use crate::scenario::{Failure, Reply, Said, Scene, scene};
use crate::{forms, made};

/// What is sent.
#[derive(Debug)]
pub(crate) enum Play {
    /// An answer in one piece.
    Answer(Answer),
    /// An event stream.
    Stream(Vec<Step>),
}

/// An answer in one piece.
#[derive(Debug)]
pub(crate) struct Answer {
    /// How long it takes.
    pub(crate) wait: Duration,
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
    /// For how many seconds to stay away.
    pub(crate) retry_after: Option<u32>,
}

/// One step of a stream.
#[derive(Debug)]
pub(crate) enum Step {
    /// An event with its end.
    Send(String),
    /// Nothing for so long.
    Wait(Duration),
    /// The connection breaks.
    Cut,
}

/// The events of a stream: what comes before the answer, the answer, and what ends it.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) opening: Vec<String>,
    pub(crate) pieces: Vec<String>,
    pub(crate) closing: Vec<String>,
}

impl Answer {
    /// Sent at once.
    pub(crate) fn now(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            wait: Duration::ZERO,
            status: 200,
            content_type,
            body: body.into(),
            retry_after: None,
        }
    }

    /// JSON, sent at once.
    pub(crate) fn json(body: &Value) -> Self {
        Self::now("application/json", body.to_string())
    }
}

/// What is sent for a call, the `count`th one of its model.
pub(crate) fn play(call: &Call, count: u32) -> Play {
    if let Verb::Made(thing) = call.verb {
        return Play::Answer(made::make(thing, call));
    }
    let asked = Asked::of(call);
    match scene(&asked, count) {
        Scene::Fails(failure) => Play::Answer(fail(call.verb, &failure)),
        Scene::Answers(reply) if asked.is_streamed => {
            Play::Stream(stream(call.verb, &asked, &reply))
        }
        Scene::Answers(reply) => Play::Answer(Answer {
            wait: reply.wait,
            ..Answer::json(&forms::plain(call.verb, &asked, &reply.said))
        }),
    }
}

fn fail(verb: Verb, failure: &Failure) -> Answer {
    Answer {
        status: failure.status,
        retry_after: failure.retry_after,
        ..Answer::json(&forms::error(verb, failure))
    }
}

fn stream(verb: Verb, asked: &Asked, reply: &Reply) -> Vec<Step> {
    let events = forms::events(verb, asked, &reply.said);
    let mut steps: Vec<Step> = events.opening.into_iter().map(Step::Send).collect();
    for piece in events.pieces {
        if !reply.pace.is_zero() {
            steps.push(Step::Wait(reply.pace));
        }
        steps.push(Step::Send(piece));
    }
    if reply.is_cut {
        steps.push(Step::Cut);
        return steps;
    }
    steps.extend(events.closing.into_iter().map(Step::Send));
    steps
}

impl Said {
    /// The text, where it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Calls(_) | Self::Choice(_) => None,
        }
    }

    /// The words of the text, each with the space behind it.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.text().unwrap_or_default().split_inclusive(' ')
    }

    /// The calls, each with its place.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (usize, &'static str, &'static str)> {
        let calls: &[_] = match self {
            Self::Calls(calls) => calls,
            Self::Text(_) | Self::Choice(_) => &[],
        };
        let calls = calls.iter().enumerate();
        calls.map(|(index, (name, arguments))| (index, *name, *arguments))
    }

    /// Whether tools are called.
    pub(crate) fn is_calls(&self) -> bool {
        matches!(self, Self::Calls(_))
    }
}
