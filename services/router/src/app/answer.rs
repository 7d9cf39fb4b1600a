//! The way from the task that serves a request to the caller's stream, which only reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use keyward_money::{Nanos, Usage};
use keyward_proto::metering::v1::{KeySource, UsageSource};
use parking_lot::Mutex;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::RouteError;
use super::closing::Closing;
use crate::domain::cache::StoredAnswer;

/// Parts on their way to the caller: enough for bursts, few enough to feel a slow reader.
const PARTS_MAX: usize = 16;

/// How long a caller may read nothing while there is something to read, before it counts as gone: a
/// provider's answer and its connection wait for it.
const STALL_MAX: Duration = Duration::from_mins(2);

/// What opens an answer.
#[derive(Debug, Clone)]
pub(crate) struct AnswerHead {
    pub(crate) inference_id: String,
    pub(crate) http_status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// Settings of the caller's that were left out.
    pub(crate) dropped: Vec<String>,
    pub(crate) provider: String,
    pub(crate) upstream_model: String,
    pub(crate) source: KeySource,
    pub(crate) attempts: u32,
    pub(crate) charge: Option<Nanos>,
    pub(crate) cache: CacheOutcome,
}

impl AnswerHead {
    /// Of an answer that is given again: no provider is asked for it, and it costs nothing this time.
    pub(super) fn stored(answer: &StoredAnswer, cache: CacheOutcome) -> Self {
        Self {
            inference_id: answer.inference_id.clone(),
            http_status: 200,
            headers: vec![("content-type".to_owned(), answer.content_type.clone())],
            dropped: answer.dropped.clone(),
            provider: answer.provider.clone(),
            upstream_model: answer.upstream_model.clone(),
            source: answer.source(),
            attempts: 0,
            charge: Some(Nanos::ZERO),
            cache,
        }
    }
}

/// How a request stood with the stored answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheOutcome {
    /// It had nothing to do with them.
    Bypass,
    /// Its answer came from there.
    Hit,
    /// There was none.
    Miss,
}

impl CacheOutcome {
    /// As it is counted and traced.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Hit => "hit",
            Self::Miss => "miss",
        }
    }
}

/// What closes it.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    pub(crate) charge: Nanos,
    pub(crate) list_cost: Option<Nanos>,
    pub(crate) usage: Usage,
    pub(crate) usage_source: UsageSource,
    /// The service tier that it was served in; empty for the usual one.
    pub(crate) service_tier: String,
}

impl Summary {
    /// Nothing was used, and nothing charged.
    pub(crate) fn nothing() -> Self {
        Self {
            charge: Nanos::ZERO,
            list_cost: None,
            usage: Usage::default(),
            usage_source: UsageSource::Unspecified,
            service_tier: String::new(),
        }
    }
}

/// What comes after the head.
#[derive(Debug)]
pub(crate) enum Part {
    Chunk(Bytes),
    Summary(Summary),
}

/// The caller has gone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gone;

/// The serving end, shared by all who serve one request.
#[derive(Debug)]
pub(crate) struct AnswerSender {
    closing: Arc<Closing>,
    head: Mutex<Option<oneshot::Sender<Result<AnswerHead, RouteError>>>>,
    has_begun: AtomicBool,
    parts: mpsc::Sender<Part>,
    due: Option<Instant>,
}

/// The reading end. Dropping it says that the caller has gone.
#[derive(Debug)]
pub(crate) struct AnswerReceiver {
    head: oneshot::Receiver<Result<AnswerHead, RouteError>>,
    parts: Parts,
}

/// What comes after the head, to be read.
#[derive(Debug)]
pub(crate) struct Parts {
    parts: mpsc::Receiver<Part>,
    due: Option<Instant>,
}

/// `due` is when the caller is to have its answer, where it says so: it counts as gone from then on.
pub(crate) fn channel(
    closing: Arc<Closing>,
    due: Option<Instant>,
) -> (AnswerSender, AnswerReceiver) {
    let (head_sender, head) = oneshot::channel();
    let (sender, parts) = mpsc::channel(PARTS_MAX);
    (
        AnswerSender {
            closing,
            head: Mutex::new(Some(head_sender)),
            has_begun: AtomicBool::new(false),
            parts: sender,
            due,
        },
        AnswerReceiver {
            head,
            parts: Parts { parts, due },
        },
    )
}

impl AnswerSender {
    /// Comes back when the caller has gone.
    pub(crate) async fn closed(&self) {
        self.parts.closed().await;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.parts.is_closed()
    }

    /// When the caller is to have its answer, where it says so.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Why the caller is not there any more, in words for records.
    pub(crate) fn why_gone(&self) -> &'static str {
        match self.due.is_some_and(|due| Instant::now() >= due) {
            true => "the caller's deadline passed",
            false => "the caller left",
        }
    }

    pub(crate) fn head_is_sent(&self) -> bool {
        self.head.lock().is_none()
    }

    /// Whether the caller was still there when the answer began.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    pub(crate) fn fail(&self, error: RouteError) {
        if let Some(head) = self.head.lock().take() {
            let _ = head.send(Err(error));
        }
    }

    pub(crate) fn head(&self, answer: AnswerHead) -> Result<(), Gone> {
        let Some(head) = self.head.lock().take() else {
            return Ok(());
        };
        head.send(Ok(answer)).map_err(|_| Gone)?;
        self.has_begun.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Sends a piece, in chunks that fit into a message; waits for a slow reader, but not for one
    /// that reads nothing at all.
    pub(crate) async fn send(&self, mut piece: Bytes) -> Result<(), Gone> {
        while !piece.is_empty() {
            let size = piece.len().min(keyward_proto::BODY_CHUNK_BYTES_MAX);
            let chunk = Part::Chunk(piece.split_to(size));
            match self.parts.try_send(chunk) {
                Ok(()) => {}
                Err(TrySendError::Closed(_)) => return Err(Gone),
                Err(TrySendError::Full(chunk)) => {
                    tokio::select! {
                        sent = self.parts.send_timeout(chunk, STALL_MAX) => sent.map_err(|_| Gone)?,
                        () = self.closing.over() => return Err(Gone),
                    }
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn finish(&self, summary: Summary) {
        // Nobody to tell is no fault: the books are closed already.
        let summary = Part::Summary(summary);
        tokio::select! {
            _ = self.parts.send_timeout(summary, STALL_MAX) => {}
            () = self.closing.over() => {}
        }
    }
}

impl AnswerReceiver {
    /// Waits for the head; then the parts are to be read.
    pub(crate) async fn opened(self) -> Result<(AnswerHead, Parts), RouteError> {
        match self.head.await {
            Ok(Ok(head)) => Ok((head, self.parts)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(RouteError::away("the provider")),
        }
    }
}

impl Parts {
    /// The next one; an error if the caller's deadline passes before it is there.
    pub(crate) async fn next(&mut self) -> Option<Result<Part, RouteError>> {
        let Some(due) = self.due else {
            return self.parts.recv().await.map(Ok);
        };
        let Ok(part) = timeout_at(due, self.parts.recv()).await else {
            self.parts.close();
            return Some(Err(RouteError::late()));
        };
        part.map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_reads_nothing_counts_as_gone() {
        let stopping = tokio_util::sync::CancellationToken::new();
        let (sender, receiver) = channel(Arc::new(Closing::new(stopping, STALL_MAX)), None);
        for _ in 0..PARTS_MAX {
            sender.send(Bytes::from_static(b"a")).await.unwrap();
        }
        assert!(sender.send(Bytes::from_static(b"a")).await.is_err());
        assert_eq!(receiver.parts.parts.len(), PARTS_MAX);
    }
}
