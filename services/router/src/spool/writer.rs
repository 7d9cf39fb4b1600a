//! The task through which everything is written: what comes while a commit is under way is the next
//! one.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use keyward_storage::{Database, StorageError, SyncTicket};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::change::{Change, coalesce};
use super::room::Room;
use super::{SpoolError, rows};

/// How many changes one commit takes in: an fsync is spread thin enough, and the first does not wait
/// long for the last.
const BATCH_MAX: usize = 1024;

/// How often a file that took nothing is tried again.
const PROBE_PAUSE: Duration = Duration::from_secs(1);

/// A change, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) change: Change,
    pub(super) then: Then,
}

/// What is to happen once a change is committed.
#[derive(Debug)]
pub(super) enum Then {
    /// Nothing.
    Nothing,
    /// It is told: it survives this process.
    Committed(oneshot::Sender<Result<(), SpoolError>>),
    /// The disk is asked for it at once, and a ticket told.
    Synced(oneshot::Sender<Result<SyncTicket, SpoolError>>),
}

pub(super) struct Writer {
    pub(super) database: Database,
    pub(super) jobs: mpsc::Receiver<Job>,
    pub(super) room: Arc<Room>,
    pub(super) closing: CancellationToken,
    /// What metering said of events, which could not be written.
    pub(super) kept: Vec<Change>,
}

impl Writer {
    /// Writes until it is told to close; what was asked for before is still written.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            let failing = self.room.is_failing();
            tokio::select! {
                biased;
                count = self.jobs.recv_many(&mut batch, BATCH_MAX) => match count {
                    0 => return self.last().await,
                    _ => self.commit(batch.drain(..)).await,
                },
                () = self.closing.cancelled(), if !self.jobs.is_closed() => self.jobs.close(),
                () = tokio::time::sleep(PROBE_PAUSE), if failing => self.probe().await,
            }
        }
    }

    async fn commit(&mut self, jobs: impl Iterator<Item = Job>) {
        let (mut changes, mut waiting) = (std::mem::take(&mut self.kept), Vec::new());
        for Job { change, then } in jobs {
            changes.push(change);
            waiting.push(then);
        }
        match self.write(changes).await {
            Ok(()) => self.tell(waiting),
            Err(()) => waiting.into_iter().for_each(Then::failed),
        }
    }

    /// What waits for the disk is told of by one ticket, for all of a commit.
    fn tell(&self, waiting: Vec<Then>) {
        let mut ticket = None;
        for then in waiting {
            match then {
                Then::Nothing => {}
                Then::Committed(told) => drop(told.send(Ok(()))),
                Then::Synced(told) => {
                    let ticket = ticket.get_or_insert_with(|| self.database.sync());
                    drop(told.send(Ok(ticket.clone())));
                }
            }
        }
    }

    async fn write(&mut self, changes: Vec<Change>) -> Result<(), ()> {
        let changes = Arc::new(coalesce(changes));
        let written = Arc::clone(&changes);
        let write = self.database.write(move |connection| {
            let more = rows::apply(connection, &written)?;
            Ok((more, rows::bytes(connection)?))
        });
        match write.await {
            Ok((more, bytes)) => {
                self.room.committed(more, bytes);
                if self.database.sync_has_failed() {
                    // Nobody knows what is on the disk until the file is opened anew.
                    self.room.fails(true);
                }
                Ok(())
            }
            Err(error) => {
                self.failed(&error);
                let kept = changes.iter().filter(|change| change.is_kept()).cloned();
                self.kept.extend(kept);
                Err(())
            }
        }
    }

    fn failed(&self, error: &StorageError) {
        if !self.room.is_failing() {
            tracing::error!(error = error as &dyn Error, "the usage spool failed");
        }
        self.room.fails(true);
    }

    /// Whether the file takes something again: the log may be too long for the disk, and begin anew.
    async fn probe(&mut self) {
        // Where it does not work the write says so.
        let _ = self.database.truncate_log().await;
        let probed = self.database.write(rows::probe).await;
        if let Err(error) = probed {
            return tracing::debug!(error = &error as &dyn Error, "the usage spool fails still");
        }
        let kept = std::mem::take(&mut self.kept);
        if self.write(kept).await.is_ok() {
            self.room.fails(self.database.sync_has_failed());
        }
    }

    async fn last(mut self) {
        let kept = std::mem::take(&mut self.kept);
        if !kept.is_empty() && self.write(kept).await.is_err() {
            tracing::warn!("what metering acknowledged is told it again after the next start");
        }
    }
}

impl Then {
    fn failed(self) {
        match self {
            Self::Nothing => {}
            Self::Committed(told) => drop(told.send(Err(SpoolError::Failing))),
            Self::Synced(told) => drop(told.send(Err(SpoolError::Failing))),
        }
    }
}
