//! The state of one stream as its chunks pass.

use bytes::{Bytes, BytesMut};
use keyward_money::MeasuredUsage;

use super::event;
use super::kind::{self, Kind};
use super::split::Splitter;
use super::text::DeliveredText;
use crate::domain::form::Form;
use crate::domain::service_tier;
use crate::domain::usage::Meter;

/// What may wait before the first content: comments and role-only chunks are small; more than this
/// is an answer that we do not recognise, and is passed on.
pub(crate) const UNCOMMITTED_BYTES_MAX: usize = 16 * 1024;
/// The longest event that is looked into; an image in base64 may be longer and then just passes.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// A stream that says it failed before it was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenStream {
    /// The error's JSON, as the provider wrote it.
    pub error: String,
}

/// What a chunk brought.
#[derive(Debug, Default)]
pub struct Pushed {
    /// To be passed on now, in order; empty while the answer is not committed.
    pub forward: Vec<Bytes>,
    /// Whether the stream has come to its `[DONE]`: nothing more is to be read.
    pub done: bool,
}

/// Watches one stream. Feed it with [`StreamWatch::push`] until it is done or the provider closes.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own about the stream.
pub struct StreamWatch {
    kind: Kind,
    /// The members whose texts are what is delivered.
    texts: &'static [&'static [u8]],
    splitter: Splitter,
    /// The beginning of an event whose end has not come.
    open: BytesMut,
    /// An event too long to be looked into is passing.
    passing: bool,
    /// Before the commit: what waits.
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    committed: bool,
    withhold_usage: bool,
    meter: Meter,
    usage: Option<MeasuredUsage>,
    usage_unreadable: bool,
    service_tier: Option<String>,
    usage_chunk: Option<Bytes>,
    finished: bool,
    /// The event that finished the answer, while nothing follows it.
    last: Option<Bytes>,
    /// The error that the provider reported once the answer was committed, as JSON.
    failure: Option<String>,
    done_event: Option<Bytes>,
    text: DeliveredText,
}

impl StreamWatch {
    /// Watches a stream of a form; `withhold_usage` where the caller did not ask for the usage chunk.
    pub fn new(form: Form, withhold_usage: bool) -> Self {
        Self {
            kind: Kind::of(form),
            texts: kind::texts(form),
            splitter: Splitter::default(),
            open: BytesMut::new(),
            passing: false,
            waiting: Vec::new(),
            waiting_bytes: 0,
            committed: false,
            withhold_usage,
            meter: Meter::new(form),
            usage: None,
            usage_unreadable: false,
            service_tier: None,
            usage_chunk: None,
            finished: false,
            last: None,
            failure: None,
            done_event: None,
            text: DeliveredText::default(),
        }
    }

    /// Takes the next bytes. A failure that the provider reports before the commit is an error:
    /// another candidate may serve. Afterwards it passes like any other event, and is remembered.
    pub fn push(&mut self, chunk: &Bytes) -> Result<Pushed, BrokenStream> {
        let mut out = Forward::default();
        let mut at = 0;
        while self.done_event.is_none() {
            let Some(end) = self.splitter.event_end(&chunk[at..]) else {
                break;
            };
            self.take_event(chunk, at..at + end, &mut out)?;
            at += end;
        }
        if self.done_event.is_none() && at < chunk.len() {
            self.take_open(chunk, at, &mut out);
        }
        Ok(self.release(out.finish(chunk)))
    }

    /// The provider closed. An event whose blank line never came counts, if all of it is there.
    pub fn end(&mut self) -> Result<Pushed, BrokenStream> {
        let kind = self.kind;
        let is_whole = event::data(&self.open)
            .is_some_and(|data| kind.ends(&data) || kind.read(&data).is_some());
        if !is_whole {
            return Ok(Pushed::default());
        }
        let mut event = self.open.split();
        event.truncate(event.trim_ascii_end().len());
        event.extend_from_slice(b"\n\n");
        let event = event.freeze();
        let before = self.last.take();
        let passes = self.look(&event, || event.clone())?;
        let passed = passes.then_some(event);
        Ok(self.release(before.into_iter().chain(passed).collect()))
    }

    fn take_event(
        &mut self,
        chunk: &Bytes,
        range: std::ops::Range<usize>,
        out: &mut Forward,
    ) -> Result<(), BrokenStream> {
        if std::mem::take(&mut self.passing) {
            out.keep(range);
            return Ok(());
        }
        if let Some(last) = self.last.take() {
            // It was not the last.
            out.cut(chunk, range.start..range.start);
            out.insert(last);
        }
        if self.open.is_empty() {
            return if self.look(&chunk[range.clone()], || chunk.slice(range.clone()))? {
                out.keep(range);
                Ok(())
            } else {
                out.cut(chunk, range);
                Ok(())
            };
        }
        self.open.extend_from_slice(&chunk[range.clone()]);
        let event = self.open.split().freeze();
        let passes = self.look(&event, || event.clone())?;
        out.cut(chunk, range);
        if passes {
            out.insert(event);
        }
        Ok(())
    }

    /// Keeps the beginning of an event until its end is there.
    fn take_open(&mut self, chunk: &Bytes, at: usize, out: &mut Forward) {
        if self.passing {
            out.keep(at..chunk.len());
            return;
        }
        self.open.extend_from_slice(&chunk[at..]);
        out.cut(chunk, at..chunk.len());
        if self.open.len() > EVENT_BYTES_MAX {
            self.passing = true;
            self.committed = true;
            self.text.chunk();
            out.insert(self.open.split().freeze());
        }
    }

    /// Reads an event; says whether it passes.
    fn look(&mut self, event: &[u8], share: impl Fn() -> Bytes) -> Result<bool, BrokenStream> {
        let Some(data) = event::data(event) else {
            return Ok(true);
        };
        if self.kind.ends(&data) {
            self.finished = true;
            self.done_event = Some(share());
            return Ok(false);
        }
        let glance = self.kind.glance(&data);
        let reports_usage = glance.usage;
        if self.service_tier.is_none() || reports_usage {
            self.service_tier = service_tier::read(&data).or(self.service_tier.take());
        }
        let is_error = event::is_error(event);
        let may_fail = is_error || glance.error;
        let may_finish = glance.finish && (!self.finished || self.kind.holds_the_finish());
        event::texts(&data, self.texts).for_each(|text| self.text.push(text));
        if self.committed && !reports_usage && !may_fail && !may_finish {
            self.text.chunk();
            return Ok(true);
        }
        let mut told = self.kind.read(&data);
        let error = told.as_mut().and_then(|told| told.error.take());
        let whole = || is_error.then(|| String::from_utf8_lossy(&data).into_owned());
        if let Some(error) = error.or_else(whole) {
            if !self.committed {
                return Err(BrokenStream { error });
            }
            self.failure.get_or_insert(error);
            if reports_usage {
                self.take_usage(&data);
            }
            return Ok(true);
        }
        let Some(told) = told else {
            return Ok(true);
        };
        self.finished |= told.finishes;
        self.committed |= told.commits;
        if told.commits {
            self.text.chunk();
        }
        if reports_usage {
            self.take_usage(&data);
        }
        if told.finishes && self.kind.holds_the_finish() {
            self.last = Some(share());
            return Ok(false);
        }
        if reports_usage && told.is_extra {
            // Held until the charge is known, or withheld for good.
            self.usage_chunk = (!self.withhold_usage).then(share);
            return Ok(false);
        }
        Ok(true)
    }

    fn take_usage(&mut self, data: &[u8]) {
        self.committed |= self.kind.commits_by_usage();
        match self.meter.take(data) {
            Some(usage) => {
                self.usage = Some(usage);
                self.text.reported();
            }
            None => self.usage_unreadable = true,
        }
    }

    /// Passes on what may be passed on, or lets it wait.
    fn release(&mut self, forward: Vec<Bytes>) -> Pushed {
        let done = self.done_event.is_some();
        self.committed |= done;
        if !self.committed {
            self.waiting_bytes += forward.iter().map(Bytes::len).sum::<usize>();
            self.waiting.extend(forward);
            self.committed = self.waiting_bytes > UNCOMMITTED_BYTES_MAX;
            return Pushed {
                forward: self.waited(),
                done,
            };
        }
        let forward = if self.waiting.is_empty() {
            forward
        } else {
            self.waiting.extend(forward);
            self.waited()
        };
        Pushed { forward, done }
    }

    fn waited(&mut self) -> Vec<Bytes> {
        if self.committed {
            std::mem::take(&mut self.waiting)
        } else {
            Vec::new()
        }
    }

    /// Commits although nothing was said yet: it has taken long enough.
    pub fn commit(&mut self) -> Pushed {
        self.committed = true;
        Pushed {
            forward: self.waited(),
            done: false,
        }
    }

    /// Whether another candidate is out of the question.
    pub(crate) fn is_committed(&self) -> bool {
        self.committed
    }

    /// Whether the answer is whole: it came to `[DONE]`, or to a finish where a provider has none.
    pub fn is_whole(&self) -> bool {
        self.done_event.is_some() || self.finished
    }

    /// The error that the provider itself reported after the commit: the caller has it already.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Whether the beginning of an event was passed on, and its end not.
    pub(crate) fn is_mid_event(&self) -> bool {
        self.passing
    }

    /// What the provider reported last.
    pub fn usage(&self) -> Option<MeasuredUsage> {
        self.usage
    }

    /// Whether usage was reported that could not be read.
    pub(crate) fn usage_unreadable(&self) -> bool {
        self.usage_unreadable
    }

    /// The service tier that the provider says it served in; empty for the usual one.
    pub(crate) fn service_tier(&self) -> &str {
        self.service_tier.as_deref().unwrap_or_default()
    }

    /// The usage chunk, held until the charge is known.
    pub fn take_usage_chunk(&mut self) -> Option<Bytes> {
        self.usage_chunk.take()
    }

    /// The event that ended the stream, as the provider wrote it.
    pub fn take_done_event(&mut self) -> Option<Bytes> {
        self.done_event.take().or_else(|| self.last.take())
    }

    /// Whether what ends the stream is OpenAI's `[DONE]`, behind which nobody reads on.
    pub(crate) fn ends_with_done(&self) -> bool {
        self.kind == Kind::Chunks
    }

    /// What was delivered so far.
    pub(crate) fn text(&self) -> &DeliveredText {
        &self.text
    }

    /// Whether it can be ended here: in a form whose end can be made without knowing the whole.
    pub(crate) fn can_be_cut(&self) -> bool {
        self.kind == Kind::Chunks && self.is_midway()
    }

    /// Whether it is in the midst of an answer, between two events.
    pub(crate) fn is_midway(&self) -> bool {
        let has_ended = self.finished || self.failure.is_some() || self.done_event.is_some();
        self.committed && !self.passing && !has_ended
    }
}

/// Gathers what passes in as few pieces as possible, so that what arrived in one piece leaves in
/// one.
#[derive(Debug, Default)]
struct Forward {
    pieces: Vec<Bytes>,
    run: std::ops::Range<usize>,
}

impl Forward {
    fn keep(&mut self, range: std::ops::Range<usize>) {
        if self.run.is_empty() {
            self.run.start = range.start;
        }
        self.run.end = range.end;
    }

    fn cut(&mut self, chunk: &Bytes, range: std::ops::Range<usize>) {
        self.close(chunk);
        self.run = range.end..range.end;
    }

    fn insert(&mut self, piece: Bytes) {
        self.pieces.push(piece);
    }

    fn close(&mut self, chunk: &Bytes) {
        if !self.run.is_empty() {
            self.pieces.push(chunk.slice(self.run.clone()));
        }
    }

    fn finish(mut self, chunk: &Bytes) -> Vec<Bytes> {
        self.close(chunk);
        self.pieces
    }
}

#[cfg(test)]
mod tests;
