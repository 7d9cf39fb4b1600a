//! The one thread that writes. What arrives while a commit is under way is gathered and committed
//! as one transaction: an fsync is paid once for all of it.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

use crate::StorageError;
use crate::lock::WriteLock;
use crate::readers::Readers;
use crate::sync::Syncer;

/// How much work may wait for the writer; callers beyond it wait in line themselves.
const QUEUE_MAX: usize = 4096;

/// How much work one transaction takes in: enough to spread an fsync thin, little enough that the
/// first in a group does not wait long for the last.
const GROUP_MAX: usize = 256;

/// A piece of work: runs in a savepoint, and returns what is to be done once the group has been
/// committed, or could not be.
type Job = Box<dyn FnOnce(&Connection) -> Finish + Send>;
type Finish = Box<dyn FnOnce(Result<(), &str>) + Send>;

#[derive(Clone, Debug)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
    /// Whether nothing more is taken in.
    closing: Arc<AtomicBool>,
    /// Its sender is dropped when the thread ends.
    ended: watch::Receiver<()>,
    /// Who brings commits to the disk; none where each commit does so itself.
    syncer: Option<Syncer>,
}

/// Who brings commits to the disk later.
pub(crate) struct Syncing {
    pub(crate) syncer: Syncer,
    pub(crate) thread: thread::JoinHandle<()>,
}

impl Writer {
    /// The lock is held until the last work is done and the connection closed.
    pub(crate) fn start(
        connection: Connection,
        readers: Arc<Readers>,
        lock: WriteLock,
        syncing: Option<Syncing>,
    ) -> Result<Self, StorageError> {
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let (alive, ended) = watch::channel(());
        let closing = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&closing);
        let syncer = syncing.as_ref().map(|syncing| syncing.syncer.clone());
        thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                let syncer = syncing.as_ref().map(|syncing| &syncing.syncer);
                write_groups(&connection, queue, &told, syncer);
                if let Some(Syncing { syncer, thread }) = syncing {
                    syncer.close();
                    // Before the log goes.
                    let _ = thread.join();
                }
                // The last connection to close takes the write-ahead log into the file and removes
                // it; those that only read could not.
                readers.close();
                drop(connection);
                drop(lock);
                drop(alive);
            })
            .map_err(|error| StorageError::Commit(error.to_string()))?;
        Ok(Self {
            jobs,
            closing,
            ended,
            syncer,
        })
    }

    pub(crate) fn syncer(&self) -> Option<&Syncer> {
        self.syncer.as_ref()
    }

    /// Does what is in line already, takes in nothing more, and waits until all is closed.
    pub(crate) async fn close(&self) {
        self.closing.store(true, Ordering::Release);
        // Wakes the thread. That it is gone is as good.
        let wake: Job = Box::new(|_| Box::new(|_| ()));
        let _ = self.jobs.send(wake).await;
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    pub(crate) async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = in_savepoint(connection, work);
            Box::new(move |committed| {
                let result = match committed {
                    Ok(()) => result,
                    Err(why) => Err(StorageError::Commit(why.to_owned()).into()),
                };
                // Nobody waits any more: the caller has gone, its work is done all the same.
                let _ = reply.send(result);
            })
        });
        self.jobs
            .send(job)
            .await
            .map_err(|_| StorageError::Closed)?;
        answer
            .await
            .unwrap_or_else(|_| Err(StorageError::Closed.into()))
    }
}

fn in_savepoint<T, E: From<StorageError>>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    // Some faults make SQLite roll back all by itself. A savepoint would then be a transaction of
    // its own, and stay although the group is reported as lost.
    if connection.is_autocommit() {
        return Err(StorageError::Commit("the transaction was lost".to_owned()).into());
    }
    execute(connection, "SAVEPOINT job")?;
    // The connection is as good as before once the savepoint is undone.
    let worked = catch_unwind(AssertUnwindSafe(|| work(connection)))
        .unwrap_or_else(|_| Err(StorageError::Panicked.into()));
    match worked {
        Ok(value) => {
            execute(connection, "RELEASE job")?;
            Ok(value)
        }
        Err(error) => {
            undo(connection);
            Err(error)
        }
    }
}

/// Undoes a savepoint, or where even that fails, the whole group, of which nothing may stay then.
fn undo(connection: &Connection) {
    let undone =
        execute(connection, "ROLLBACK TO job").and_then(|()| execute(connection, "RELEASE job"));
    if let Err(error) = undone
        && !connection.is_autocommit()
    {
        tracing::error!(error = &error as &dyn Error, "cannot undo a piece of work");
        let _ = execute(connection, "ROLLBACK");
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StorageError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn write_groups(
    connection: &Connection,
    mut queue: mpsc::Receiver<Job>,
    closing: &AtomicBool,
    syncer: Option<&Syncer>,
) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while queue.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        if closing.load(Ordering::Acquire) {
            queue.close();
        }
        write_group(connection, group.drain(..), syncer);
    }
}

fn write_group(connection: &Connection, group: impl Iterator<Item = Job>, syncer: Option<&Syncer>) {
    let begun = execute(connection, "BEGIN IMMEDIATE");
    // Outside a transaction they do nothing but say so.
    let finishes: Vec<Finish> = group.map(|job| job(connection)).collect();
    let committed = begun
        .and_then(|()| execute(connection, "COMMIT"))
        .map_err(|error| {
            tracing::error!(error = &error as &dyn Error, "cannot commit");
            if !connection.is_autocommit() {
                let _ = execute(connection, "ROLLBACK");
            }
            error.to_string()
        });
    if let (Ok(()), Some(syncer)) = (&committed, syncer) {
        syncer.committed();
    }
    for finish in finishes {
        finish(committed.as_ref().copied().map_err(String::as_str));
    }
}
