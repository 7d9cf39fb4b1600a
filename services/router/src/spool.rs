//! The spool: a file of the router's own in which everything that metering must learn lies until it has
//! been told. It holds no prompt, no answer and no key.
//!
//! Two classes of durability (the file is written with `synchronous=NORMAL`, see
//! [`keyward_storage::SyncTicket`] for why that is enough):
//!
//! * *Kill-safe*: committed before the last byte is sent, so that it survives this process, and on the
//!   disk within 20 ms. Events, checkpoints, intents with a key of the caller's own.
//! * *Power-safe*: on the disk before the first byte is sent. Intents with the platform's key.
//!
//! After a power cut the file is as it was at one of the last commits. Of whatever was delivered with
//! the platform's key it has the intent at least. An event that metering has already, and of which only
//! the intent is left here, is known by its id: metering keeps the one it has.

mod change;
mod inspect;
mod room;
mod rows;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keyward_proto::metering::v1::{Usage, UsageEvent};
use keyward_storage::{Database, StorageError, SyncTicket};
use prometheus_client::metrics::gauge::Gauge;
use prost::Message as _;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use crate::app::metering::Replayed;
use crate::app::now_ms;
use crate::domain::parcel::{Held, Parcel};
use change::Change;
pub use inspect::{Refused, Report, Waiting, report};
use room::Room;
pub use room::SpoolLimits;
use writer::{Job, Then, Writer};

/// How long after its commit something is on the disk at the latest, but for the time that the disk
/// itself takes: half of what is promised.
const SYNC_WITHIN: Duration = Duration::from_millis(10);

/// Changes that wait for the writer. Beyond, the disk is not keeping up, and no new work is taken on.
const QUEUE_MAX: usize = 16 * 1024;

/// Why the spool does not take something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SpoolError {
    /// Metering must be told of what is there first.
    #[error("the usage spool is full")]
    Full,
    /// The file cannot be written.
    #[error("the usage spool cannot be written")]
    Failing,
}

/// What is shown of the spool.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpoolGauges {
    /// Events that metering has not acknowledged.
    pub(crate) depth: Gauge,
    /// The age of the oldest of them, in seconds.
    pub(crate) oldest_seconds: Gauge,
    /// Events that metering refused for good.
    pub(crate) quarantined: Gauge,
}

/// How much lies in a spool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    intents: i64,
    events: i64,
    quarantined: i64,
    bytes: i64,
}

/// An event as it lies in the spool.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) sequence: i64,
    /// `None` for one that cannot be read.
    pub(crate) parcel: Option<Parcel>,
}

/// How safe an intent has to be before anything is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Safety {
    /// It survives this process.
    Kill,
    /// It survives the machine.
    Power,
}

/// A power-safe intent on its way to the disk.
#[derive(Debug)]
pub(crate) struct Writing(oneshot::Receiver<Result<SyncTicket, SpoolError>>);

/// An open spool. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    database: Database,
    jobs: mpsc::Sender<Job>,
    room: Arc<Room>,
    next: Arc<AtomicI64>,
    /// What is before it was left behind by others.
    first: i64,
    /// By what metering knows it, and how often it was opened.
    identity: (Uuid, u64),
    closing: CancellationToken,
    tracker: TaskTracker,
}

impl Spool {
    /// Opens a spool, creating it where there is none. Blocks; nobody else can open it until it is
    /// closed.
    pub(crate) async fn open(
        path: &Path,
        limits: SpoolLimits,
        gauges: SpoolGauges,
    ) -> Result<Self, StorageError> {
        let database = Database::open_syncing_later(path, rows::MIGRATIONS, SYNC_WITHIN)?;
        let room = Arc::new(Room::new(limits, gauges));
        let look =
            |connection: &_| Ok((rows::count(connection)?, rows::next_sequence(connection)?));
        let (counts, first) = database.read::<_, StorageError, _>(look).await?;
        let new = keyward_runtime::ids::new();
        let started = database.write(move |connection: &_| rows::start(connection, new));
        let identity: (Uuid, u64) = started.await.map_err(|fault: StorageError| fault)?;
        room.set(counts);
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let closing = CancellationToken::new();
        let tracker = TaskTracker::new();
        let writer = Writer {
            database: database.clone(),
            jobs: queue,
            room: Arc::clone(&room),
            closing: closing.clone(),
            kept: Vec::new(),
        };
        tracker.spawn(writer.run());
        tracker.close();
        Ok(Self {
            database,
            jobs,
            room,
            next: Arc::new(AtomicI64::new(first)),
            first,
            identity,
            closing,
            tracker,
        })
    }

    /// Whether new work can be taken on: everything that reaches a provider has its record, so what
    /// could not be recorded is not begun.
    pub(crate) fn admits(&self) -> Result<(), SpoolError> {
        self.room.admits()
    }

    /// The next sequence.
    pub(crate) fn sequence(&self) -> i64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Begins to write that an attempt is dispatched. `event` is what is known of the attempt
    /// by now. What is to be waited for is given where it is to be
    /// power-safe; otherwise it is committed before whatever is written later.
    pub(crate) fn intent(
        &self,
        sequence: i64,
        held: Held,
        event: &UsageEvent,
        safety: Safety,
    ) -> Result<Option<Writing>, SpoolError> {
        self.admits()?;
        let change = Change::Intent {
            sequence,
            held,
            create_ms: now(),
            event: event.encode_to_vec(),
        };
        let (then, writing) = match safety {
            Safety::Kill => (Then::Nothing, None),
            Safety::Power => {
                let (told, written) = oneshot::channel();
                (Then::Synced(told), Some(Writing(written)))
            }
        };
        let queued = self.jobs.try_send(Job { change, then });
        queued.map_err(|_| SpoolError::Failing)?;
        Ok(writing)
    }

    /// Writes how far a delivery has come; the last before the end counts. Returns once that survives
    /// this process.
    pub(crate) async fn checkpoint(&self, sequence: i64, usage: &Usage) -> Result<(), SpoolError> {
        self.write(Change::Checkpoint {
            sequence,
            usage: usage.encode_to_vec(),
        })
        .await
    }

    /// The same, without waiting: one that is lost only makes the next one count.
    pub(crate) fn note_checkpoint(&self, sequence: i64, usage: &Usage) {
        let change = Change::Checkpoint {
            sequence,
            usage: usage.encode_to_vec(),
        };
        let then = Then::Nothing;
        let _ = self.jobs.try_send(Job { change, then });
    }

    /// Writes what metering is to be told, in the stead of the intent. Returns once it survives this
    /// process.
    pub(crate) async fn event(&self, sequence: i64, parcel: &Parcel) -> Result<(), SpoolError> {
        let change = Change::Event {
            sequence,
            kind: parcel.kind().name(),
            create_ms: now(),
            body: parcel.encode(),
        };
        self.write(change).await
    }

    /// Metering has an event. Of one that could not be written, this takes the intent away.
    pub(crate) async fn done(&self, sequence: i64) {
        self.note(Change::Done { sequence }).await;
    }

    /// Metering refused an event for good.
    pub(crate) async fn refused(&self, sequence: i64, reason: &str) {
        let change = Change::Refused {
            sequence,
            refuse_ms: now(),
            reason: reason.to_owned(),
        };
        self.note(change).await;
    }

    async fn note(&self, change: Change) {
        let then = Then::Nothing;
        if self.jobs.send(Job { change, then }).await.is_err() {
            tracing::debug!("the usage spool is closed; metering is told once more later");
        }
    }

    async fn write(&self, change: Change) -> Result<(), SpoolError> {
        let (told, committed) = oneshot::channel();
        let then = Then::Committed(told);
        let sent = self.jobs.send(Job { change, then }).await;
        sent.map_err(|_| SpoolError::Failing)?;
        committed.await.unwrap_or(Err(SpoolError::Failing))
    }

    /// Makes events of what lost processes left behind; says of how many attempts.
    pub(crate) async fn recover(&self) -> Result<usize, StorageError> {
        let (mut all, before) = (0, self.first);
        loop {
            let recover = move |connection: &_| rows::recover(connection, before);
            let recovered = self.database.write(recover).await?;
            if recovered == 0 {
                return Ok(all);
            }
            all += recovered;
            let count = i64::try_from(recovered).unwrap_or(0);
            self.room.recovered(count);
        }
    }

    /// Events after a sequence, in order.
    pub(crate) async fn events(&self, after: i64, limit: u32) -> Result<Vec<Stored>, StorageError> {
        let read = move |connection: &_| rows::events(connection, after, limit);
        self.database.read(read).await
    }

    /// Returns once what was asked for before is committed, or could not be.
    pub(crate) async fn flushed(&self) {
        // There is no such sequence.
        let _ = self.write(Change::Done { sequence: 0 }).await;
    }

    /// By what metering knows it, and how often it was opened.
    pub(crate) const fn identity(&self) -> (Uuid, u64) {
        self.identity
    }

    /// Whether metering knows all that was left behind by earlier processes.
    pub(crate) async fn earlier_told(&self) -> Result<bool, StorageError> {
        let first = self.first;
        let look = move |connection: &_| rows::is_told(connection, first);
        self.database.read(look).await
    }

    /// How many events wait.
    pub(crate) fn depth(&self) -> i64 {
        self.room.depth().get()
    }

    /// Brings the gauge of the oldest event's age up to date.
    pub(crate) async fn show_age(&self) {
        let oldest = match self.depth() {
            0 => None,
            _ => self.database.read(rows::oldest_ms).await.ok().flatten(),
        };
        let age_ms = oldest.map_or(0, |oldest| (now() - oldest).max(0));
        self.room.oldest_seconds().set(age_ms / 1000);
    }

    /// What was asked for is written, and the file closed: another process can open it.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.tracker.wait().await;
        self.database.close().await;
    }
}

impl Writing {
    /// Waits until it is on the disk.
    pub(crate) async fn safe(self) -> Result<(), SpoolError> {
        let ticket = self.0.await.unwrap_or(Err(SpoolError::Failing))?;
        ticket.synced().await.map_err(|_| SpoolError::Failing)
    }
}

/// Tells metering what lies in the spool at `path`, which no router may have open, and takes it out;
/// what metering refuses for good or cannot be told of stays. `metering` is a router's connection.
///
/// # Errors
/// [`StorageError`] if the file cannot be opened or is in use.
pub async fn replay(
    path: &Path,
    metering: keyward_auth::Connection,
) -> Result<Replayed, StorageError> {
    crate::app::metering::replay(path, metering).await
}

fn now() -> i64 {
    i64::try_from(now_ms()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
