//! The task that tells metering what lies in the spool, until metering has it. Fresh events come to it
//! directly, so that who waits for one does not wait for the file; whatever could not be told at once
//! is read from the file again.

mod behind;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use keyward_proto::metering::v1::RecordUsageRequest;
use keyward_runtime::trace::TraceContext;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::delivery::{Delivery, Outcome, RECORDS_MAX, Settled, Told};
use crate::domain::parcel::{Kind, Parcel};
use crate::spool::Spool;

/// How many events are told at a time.
const IN_FLIGHT_MAX: usize = 2_048;
/// How often the age of the oldest event is shown.
const SHOW_PAUSE: Duration = Duration::from_secs(1);
/// How long a stopping process goes on telling metering what it has.
const LAST_TRIES: Duration = Duration::from_secs(2);

/// An event that was just written, or could not be.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) sequence: i64,
    pub(super) parcel: Parcel,
    /// Who waits for what becomes of it.
    pub(super) waiting: oneshot::Sender<Option<Settled>>,
    /// Whether it is in the file. What is not is kept in memory until metering has it.
    pub(super) is_written: bool,
    pub(super) trace: Option<TraceContext>,
}

pub(super) struct Courier {
    spool: Spool,
    delivery: Delivery,
    fresh: mpsc::Receiver<Fresh>,
    outcomes: mpsc::Receiver<Outcome>,
    stopping: CancellationToken,
    /// Deliveries under way.
    calls: TaskTracker,
    in_flight: HashSet<i64>,
    waiting: HashMap<i64, (Kind, oneshot::Sender<Option<Settled>>)>,
    /// Records that go in the next call: one is under way at a time, and these gather meanwhile.
    records: Vec<(i64, RecordUsageRequest)>,
    records_in_flight: HashSet<i64>,
    /// What could not be written.
    unwritten: HashMap<i64, Parcel>,
    /// When the file is to be read, if anything there is left to tell; and from where.
    behind: Option<Instant>,
    cursor: i64,
    /// Something was left to the file since it was read from the beginning.
    left_behind: bool,
    /// Metering could not be told last time; how long it is left alone next.
    away: Option<Duration>,
}

impl Courier {
    pub(super) fn new(
        spool: Spool,
        client: super::Client,
        fresh: mpsc::Receiver<Fresh>,
        stopping: CancellationToken,
    ) -> Self {
        let (sender, outcomes) = mpsc::channel(IN_FLIGHT_MAX);
        Self {
            spool,
            delivery: Delivery {
                client,
                outcomes: sender,
            },
            fresh,
            outcomes,
            stopping,
            calls: TaskTracker::new(),
            in_flight: HashSet::new(),
            waiting: HashMap::new(),
            records: Vec::new(),
            records_in_flight: HashSet::new(),
            unwritten: HashMap::new(),
            behind: Some(Instant::now()),
            cursor: 0,
            left_behind: false,
            away: None,
        }
    }

    /// Tells metering until it is told to stop, and then what it has for a little longer.
    pub(super) async fn run(mut self) {
        self.recover().await;
        let stopping = self.stopping.clone();
        tokio::select! {
            () = self.deliver(false) => {}
            () = stopping.cancelled() => {
                let _ = tokio::time::timeout(LAST_TRIES, self.deliver(true)).await;
            }
        }
        self.leave().await;
    }

    /// Tells metering what lies in a spool, as long as it answers.
    pub(super) async fn run_once(mut self) {
        self.recover().await;
        self.deliver(true).await;
        self.leave().await;
    }

    /// Makes events of what a lost process left behind.
    async fn recover(&self) {
        match self.spool.recover().await {
            Ok(0) => {}
            Ok(attempts) => tracing::warn!(
                attempts,
                "a router was lost while it served; what it left behind is settled by what is known"
            ),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "what a lost router left behind cannot be read");
            }
        }
    }

    /// Goes on for ever, or until there is nothing that could be told now.
    async fn deliver(&mut self, is_last: bool) {
        let mut batch = Vec::new();
        let mut show = tokio::time::interval(SHOW_PAUSE);
        show.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let at_rest = self.in_flight.is_empty() && self.fresh.is_empty();
            if is_last && at_rest && (self.behind.is_none() || self.away.is_some()) {
                return;
            }
            let may_read = self.in_flight.len() < IN_FLIGHT_MAX / 2;
            let due = self.behind.filter(|_| may_read);
            tokio::select! {
                Some(outcome) = self.outcomes.recv() => self.heard(outcome).await,
                count = self.fresh.recv_many(&mut batch, RECORDS_MAX) => {
                    if count == 0 {
                        return;
                    }
                    batch.drain(..).for_each(|fresh| self.take(fresh));
                    self.send_records();
                }
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.read_on().await;
                }
                _ = show.tick() => self.spool.show_age().await,
            }
        }
    }

    /// Takes an event in.
    fn take(&mut self, fresh: Fresh) {
        let Fresh {
            sequence,
            parcel,
            waiting,
            is_written,
            trace,
        } = fresh;
        let is_away = self.away.is_some();
        // Nothing depends on the record of an own key: nobody waits for it while metering is away.
        if !(is_away && parcel.kind() == Kind::Record) {
            self.waiting.insert(sequence, (parcel.kind(), waiting));
        }
        if !is_written {
            self.unwritten.insert(sequence, parcel.clone());
        }
        if !is_away && self.in_flight.len() < IN_FLIGHT_MAX {
            return self.send(sequence, parcel, trace);
        }
        // It is told when the file is read next.
        self.left_behind = true;
        if !is_away {
            self.behind.get_or_insert_with(Instant::now);
        }
    }

    fn send(&mut self, sequence: i64, parcel: Parcel, trace: Option<TraceContext>) {
        self.in_flight.insert(sequence);
        let delivery = self.delivery.clone();
        match parcel {
            Parcel::Record(record) => self.records.push((sequence, record)),
            Parcel::Settle(settle) => {
                self.call(
                    trace,
                    async move { delivery.settle(sequence, settle).await },
                );
            }
            Parcel::Void(void) => {
                self.call(trace, async move { delivery.void(sequence, void).await });
            }
        }
    }

    fn call(&self, trace: Option<TraceContext>, call: impl Future<Output = ()> + Send + 'static) {
        self.calls.spawn(async move {
            match trace {
                Some(trace) => trace.scope(call).await,
                None => call.await,
            }
        });
    }

    /// Sends the records that have gathered, unless some are under way.
    fn send_records(&mut self) {
        if !self.records_in_flight.is_empty() || self.records.is_empty() {
            return;
        }
        let rest = self.records.split_off(self.records.len().min(RECORDS_MAX));
        let records = std::mem::replace(&mut self.records, rest);
        self.records_in_flight = records.iter().map(|(sequence, _)| *sequence).collect();
        let delivery = self.delivery.clone();
        self.calls
            .spawn(async move { delivery.records(records).await });
    }

    async fn heard(&mut self, (sequence, told): Outcome) {
        self.in_flight.remove(&sequence);
        self.records_in_flight.remove(&sequence);
        match told {
            Told::Done(settled) => {
                self.answers();
                self.unwritten.remove(&sequence);
                self.spool.done(sequence).await;
                if let Some((_, waiting)) = self.waiting.remove(&sequence) {
                    // Who has gone has no use for it.
                    let _ = waiting.send(settled);
                }
            }
            Told::Refused(reason) => {
                self.answers();
                self.put_aside(sequence, &reason).await;
                if let Some((_, waiting)) = self.waiting.remove(&sequence) {
                    // It is over, and came to nothing.
                    let _ = waiting.send(None);
                }
            }
            Told::Away(status) => self.does_not_answer(&status),
        }
        self.send_records();
    }

    async fn put_aside(&mut self, sequence: i64, reason: &str) {
        tracing::error!(
            spool.sequence = sequence,
            error = %reason,
            "metering refused an event for good; it is kept in quarantine"
        );
        if let Some(parcel) = self.unwritten.remove(&sequence)
            && self.spool.event(sequence, &parcel).await.is_err()
        {
            let event_id = parcel.id();
            return tracing::error!(event.id = %event_id, "a refused event cannot be kept");
        }
        self.spool.refused(sequence, reason).await;
    }

    async fn leave(mut self) {
        self.write_again().await;
        if !self.unwritten.is_empty() {
            let events = self.unwritten.len();
            tracing::error!(
                events,
                "usage could neither be told to metering nor written down"
            );
        }
        self.spool.flushed().await;
        let events = self.spool.depth();
        if events > 0 {
            tracing::info!(events, "what metering was not told of stays in the spool");
        }
    }
}
