//! Streams from one form into another, event by event, however their bytes are cut.

use crate::canonical::Event;
use crate::error::Failure;
use crate::form::Form;
use crate::forms;
use crate::refusal::Garbled;
use crate::sse::{self, Frame};
use crate::translate::{AnswerContext, Framing};
use crate::unargued::Unargued;

/// Reads a provider's events.
pub(crate) trait ReadEvents: std::fmt::Debug {
    /// Reads one event.
    fn event(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), Garbled>;

    /// Whether the answer is whole although the form's end mark has not come: whatever the form tells
    /// last was told.
    fn is_whole(&self) -> bool;
}

/// Writes events in a caller's form.
pub(crate) trait WriteEvents: std::fmt::Debug {
    /// Writes what an event becomes, if anything.
    fn event(&mut self, event: Event, out: &mut Vec<u8>);

    /// Writes what remains of a whole answer; gives the last event apart.
    fn end(&mut self, out: &mut Vec<u8>) -> Vec<u8>;
}

/// Translates a stream. What was pushed and can be told is told at once; the end is kept back until
/// [`StreamTranslator::finish`], so that whoever passes the stream on can put something before it.
#[derive(Debug)]
pub struct StreamTranslator {
    frames: sse::Reader,
    inner: Inner,
}

/// What is behind the frames.
#[derive(Debug)]
struct Inner {
    framing: Framing,
    reader: Box<dyn ReadEvents + Send>,
    writer: Box<dyn WriteEvents + Send>,
    /// What the last frame held; kept for its room.
    events: Vec<Event>,
    unargued: Unargued,
    outcome: Outcome,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The answer is whole.
    Whole,
    /// It broke off.
    Cut,
    /// The provider said that it failed; the caller has been told.
    Failed(Failure),
}

/// The end of a translated stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What is left to tell before the end. Empty unless the answer is whole.
    pub bytes: Vec<u8>,
    /// The event that ends the stream, where the form has one. Empty unless the answer is whole: a
    /// stream that was cut never ends as if it were.
    pub last: Vec<u8>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Ended {
    /// Whether the answer is whole.
    pub fn is_whole(&self) -> bool {
        self.outcome == Outcome::Whole
    }
}

impl StreamTranslator {
    /// A stream of a provider that speaks `from`, for a caller who speaks `to`.
    pub fn new(from: Form, to: Form, context: AnswerContext) -> Self {
        Self {
            frames: sse::Reader::default(),
            inner: Inner {
                framing: context.framing,
                reader: forms::reader(from, &context),
                writer: forms::writer(to, context),
                events: Vec::new(),
                unargued: Unargued::default(),
                outcome: Outcome::Cut,
            },
        }
    }

    /// Takes the provider's next bytes and gives the caller's.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Garbled> {
        let mut out = Vec::with_capacity(bytes.len());
        let Self { frames, inner } = self;
        frames.push(bytes, |frame| inner.frame(&frame, &mut out))?;
        Ok(out)
    }

    /// Whether the provider's stream came to its end, so that nothing is to be expected of it.
    pub fn is_over(&self) -> bool {
        self.inner.outcome != Outcome::Cut
    }

    /// Tells the caller of a failure that the provider said nothing of; nothing follows it. Empty where
    /// the stream has come to its end, or the caller was told of a failure already.
    pub fn fail(&mut self, failure: Failure) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.is_over() {
            self.inner.events.push(Event::Failed(failure));
            self.inner.tell(&mut out);
        }
        out
    }

    /// Takes the end of the provider's bytes.
    pub fn finish(mut self) -> Ended {
        if self.inner.outcome == Outcome::Cut && self.inner.reader.is_whole() {
            self.inner.outcome = Outcome::Whole;
        }
        let mut bytes = Vec::new();
        let last = match self.inner.outcome {
            Outcome::Whole => self.inner.writer.end(&mut bytes),
            Outcome::Cut | Outcome::Failed(_) => Vec::new(),
        };
        Ended {
            bytes,
            last,
            outcome: self.inner.outcome,
        }
    }
}

impl Inner {
    fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), Garbled> {
        if self.outcome != Outcome::Cut {
            return Ok(());
        }
        match frame {
            Frame::Comment(text) => self.comment(text, out),
            Frame::Event { data, .. } => {
                self.reader.event(data, &mut self.events)?;
                self.tell(out);
            }
        }
        Ok(())
    }

    fn tell(&mut self, out: &mut Vec<u8>) {
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            if let Some(before) = self.unargued.before(&event) {
                self.writer.event(before, out);
            }
            match event {
                Event::End => self.outcome = Outcome::Whole,
                Event::Ping => self.comment(b"ping", out),
                Event::Failed(failure) => {
                    self.outcome = Outcome::Failed(failure.clone());
                    self.writer.event(Event::Failed(failure), out);
                }
                event => self.writer.event(event, out),
            }
        }
        self.events = events;
    }

    /// A comment stays a comment, where the framing has such.
    fn comment(&self, text: &[u8], out: &mut Vec<u8>) {
        if self.framing == Framing::Events {
            sse::write_comment(text, out);
        }
    }
}
