//! The stream on which metering calls leases back, and asks for what it was not told yet.

use std::sync::atomic::Ordering;
use std::time::Duration;

use keyward_proto::metering::v1::{WatchLeasesRequest, WatchLeasesResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::super::CALL_TIMEOUT;
use super::LeaseBook;

/// The pause before metering is asked again; the longest, where it keeps refusing.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What was done, on its way to metering, which reads it as it comes.
const ANSWERS_MAX: usize = 1_024;

/// How often it is looked whether all that earlier processes left behind was told.
const LOOK: Duration = Duration::from_millis(500);

/// One connection.
struct Watch {
    book: LeaseBook,
    answers: mpsc::Sender<WatchLeasesRequest>,
    calls: Streaming<WatchLeasesResponse>,
}

impl LeaseBook {
    /// Hears what metering calls for, for ever. While it cannot, leases end by themselves.
    pub(super) async fn watch(self) {
        let mut pause = PAUSE;
        loop {
            if let Some(watch) = self.connect().await {
                pause = PAUSE;
                watch.run().await;
                self.shared.is_watched.store(false, Ordering::Release);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn connect(&self) -> Option<Watch> {
        let (answers, outgoing) = mpsc::channel(ANSWERS_MAX);
        let hello = WatchLeasesRequest {
            holder: Some(self.holder()),
            ..WatchLeasesRequest::default()
        };
        answers.send(hello).await.ok()?;
        let mut client = self.shared.client.clone();
        let call = client.watch_leases(ReceiverStream::new(outgoing));
        match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(Ok(response)) => Some(Watch {
                book: self.clone(),
                answers,
                calls: response.into_inner(),
            }),
            Ok(Err(status)) => {
                tracing::debug!(error = %status.message(), "metering lends nothing yet");
                None
            }
            Err(_) => None,
        }
    }
}

impl Watch {
    async fn run(mut self) {
        let mut look = tokio::time::interval(LOOK);
        let mut earlier_told = false;
        loop {
            tokio::select! {
                call = self.calls.message() => match call {
                    Ok(Some(call)) => self.hear(call),
                    Ok(None) | Err(_) => return,
                },
                _ = look.tick(), if !earlier_told => {
                    earlier_told = self.say_earlier_told().await;
                }
            }
        }
    }

    fn hear(&self, call: WatchLeasesResponse) {
        if call.call_id == 0 {
            return self.book.shared.is_watched.store(true, Ordering::Release);
        }
        let (book, answers) = (self.book.clone(), self.answers.clone());
        self.book.spawn(async move {
            let answer = book.answer(call).await;
            // Metering gives up on whom it cannot hear.
            let _ = answers.send(answer).await;
        });
    }

    async fn say_earlier_told(&self) -> bool {
        let is_told = self.book.shared.spool.earlier_told().await;
        if !is_told.unwrap_or(false) {
            return false;
        }
        let told = WatchLeasesRequest {
            earlier_told: true,
            ..WatchLeasesRequest::default()
        };
        self.answers.send(told).await.is_ok()
    }
}
