//! Tells metering of attempts over one long stream, and keeps each until it is acknowledged. They
//! are kept in memory only; the spool on disk comes with durable metering.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use keyward_auth::Connection;
use keyward_proto::metering::v1 as proto;
use keyward_proto::metering::v1::metering_service_client::MeteringServiceClient;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::meters::Counted;

/// Records that wait to be sent.
const WAITING_MAX: usize = 4096;
/// Records on their way, not acknowledged: beyond, nothing more is sent, and no new work is taken
/// once those that wait are full too.
const UNACKNOWLEDGED_MAX: usize = 4096;
/// The pause before metering is asked again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);
/// How long a stopping process tries to tell what it has; what is in flight takes no longer either.
const LAST_TRIES: Duration = Duration::from_secs(30);

struct Record {
    event: proto::UsageEvent,
    stored: oneshot::Sender<()>,
    _waiting: Counted,
}

/// Gives each request its own way in. A stopping process gives out no more, and the task ends once
/// all are back.
#[derive(Debug)]
pub(super) struct Recorder {
    way_in: Arc<ArcSwapOption<mpsc::Sender<Record>>>,
    waiting: Gauge,
}

/// The way in of one request.
#[derive(Debug, Clone)]
pub(crate) struct RecordHandle {
    way_in: Arc<mpsc::Sender<Record>>,
    waiting: Gauge,
}

/// Tells that a record is stored.
#[derive(Debug)]
pub(crate) struct Stored(pub(super) oneshot::Receiver<()>);

impl Recorder {
    pub(super) fn start(
        client: MeteringServiceClient<Connection>,
        waiting: Gauge,
        tracker: &TaskTracker,
        stopping: CancellationToken,
    ) -> Self {
        let (records, to_send) = mpsc::channel(WAITING_MAX);
        let way_in = Arc::new(ArcSwapOption::from_pointee(records));
        let task = Task {
            client,
            waiting: to_send,
            unacknowledged: VecDeque::new(),
            sequence: 0,
        };
        tracker.spawn(task.run(Arc::clone(&way_in), stopping));
        Self { way_in, waiting }
    }

    /// A way in; `None` where records of more work could not be kept.
    pub(super) fn handle(&self) -> Option<RecordHandle> {
        let way_in = self.way_in.load_full()?;
        (way_in.capacity() > 0).then(|| RecordHandle {
            way_in,
            waiting: self.waiting.clone(),
        })
    }
}

impl RecordHandle {
    /// Hands a record over and gives what tells that it is stored. Once handed over it is told,
    /// whether or not anybody waits.
    pub(crate) async fn record(&self, event: proto::UsageEvent) -> Stored {
        let (stored, done) = oneshot::channel();
        let record = Record {
            event,
            stored,
            _waiting: Counted::one_of(&self.waiting),
        };
        if self.way_in.send(record).await.is_err() {
            tracing::error!("a usage record came after the end");
        }
        Stored(done)
    }
}

/// How a stream ended.
enum End {
    /// Nothing more can come.
    Done,
    /// To be tried again.
    Lost,
    /// Metering refused a record for what it is.
    Refused,
}

struct Task {
    client: MeteringServiceClient<Connection>,
    waiting: mpsc::Receiver<Record>,
    unacknowledged: VecDeque<(u64, Record)>,
    sequence: u64,
}

impl Task {
    async fn run(
        mut self,
        way_in: Arc<ArcSwapOption<mpsc::Sender<Record>>>,
        stopping: CancellationToken,
    ) {
        tokio::select! {
            () = self.deliver() => return,
            () = stopping.cancelled() => way_in.store(None),
        }
        // Requests in flight still bring theirs; with the last of them the channel closes.
        if tokio::time::timeout(LAST_TRIES, self.deliver())
            .await
            .is_err()
        {
            let lost = self.unacknowledged.len() + self.waiting.len();
            tracing::error!(
                records = lost,
                "usage records could not be told before the end"
            );
        }
    }

    /// Delivers until nothing more can come.
    async fn deliver(&mut self) {
        loop {
            if self.unacknowledged.is_empty() {
                // A stream is opened for what there is to send.
                match self.waiting.recv().await {
                    None => return,
                    Some(record) => self.number(record),
                }
            }
            match self.stream().await {
                End::Done => return,
                End::Lost => tokio::time::sleep(RECONNECT_PAUSE).await,
                End::Refused => {
                    self.tell_one_by_one().await;
                    if !self.unacknowledged.is_empty() {
                        tokio::time::sleep(RECONNECT_PAUSE).await;
                    }
                }
            }
        }
    }

    fn number(&mut self, record: Record) {
        self.sequence += 1;
        self.unacknowledged.push_back((self.sequence, record));
    }

    /// Tells each record over a stream of its own: one of them is refused for good, and must not
    /// hold up the others.
    async fn tell_one_by_one(&mut self) {
        while let Some((sequence, record)) = self.unacknowledged.front() {
            let only = futures::stream::iter([request(*sequence, record)]);
            let told = async {
                let mut acknowledgements = self.client.clone().record_usage(only).await?;
                acknowledgements.get_mut().message().await
            };
            match told.await {
                Ok(Some(acknowledged)) => self.acknowledged(acknowledged.acknowledged_sequence),
                Err(status) if !super::may_mend(&status) => {
                    let refused = self.unacknowledged.pop_front();
                    let id = refused
                        .map(|(_, record)| record.event.event_id)
                        .unwrap_or_default();
                    tracing::error!(event.id = %id, error = %status.message(), "metering refused a usage record");
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// One stream, until it ends or nothing more can come.
    async fn stream(&mut self) -> End {
        match self.try_stream().await {
            Ok(()) => End::Done,
            Err(Some(status)) if !super::may_mend(&status) => End::Refused,
            Err(Some(status)) => {
                tracing::warn!(error = %status.message(), "usage records cannot be told yet");
                End::Lost
            }
            Err(None) => End::Lost,
        }
    }

    async fn try_stream(&mut self) -> Result<(), Option<tonic::Status>> {
        let (outgoing, requests) = mpsc::channel(UNACKNOWLEDGED_MAX);
        for (sequence, record) in &self.unacknowledged {
            outgoing
                .send(request(*sequence, record))
                .await
                .map_err(|_| None)?;
        }
        let mut client = self.client.clone();
        let response = client.record_usage(ReceiverStream::new(requests)).await?;
        let mut acknowledgements = response.into_inner();
        let mut closed = false;
        while !(closed && self.unacknowledged.is_empty()) {
            let may_send = !closed && self.unacknowledged.len() < UNACKNOWLEDGED_MAX;
            tokio::select! {
                record = self.waiting.recv(), if may_send => match record {
                    None => closed = true,
                    Some(record) => {
                        self.number(record);
                        if let Some((sequence, record)) = self.unacknowledged.back() {
                            let request = request(*sequence, record);
                            outgoing.send(request).await.map_err(|_| None)?;
                        }
                    }
                },
                message = acknowledgements.message() => {
                    let acknowledged = message?.ok_or(None)?;
                    self.acknowledged(acknowledged.acknowledged_sequence);
                }
            }
        }
        Ok(())
    }

    fn acknowledged(&mut self, sequence: u64) {
        while self
            .unacknowledged
            .front()
            .is_some_and(|(first, _)| *first <= sequence)
        {
            if let Some((_, record)) = self.unacknowledged.pop_front() {
                let _ = record.stored.send(());
            }
        }
    }
}

fn request(sequence: u64, record: &Record) -> proto::RecordUsageRequest {
    proto::RecordUsageRequest {
        request_id: record.event.event_id.clone(),
        sequence,
        event: Some(record.event.clone()),
    }
}
