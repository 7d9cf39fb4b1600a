//! The one thread that writes. What arrives while a commit is under way is gathered and committed
//! as one transaction: an fsync is paid once for all of it.

use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::StorageError;

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
}

impl Writer {
    pub(crate) fn start(connection: Connection) -> Result<Self, StorageError> {
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_groups(&connection, queue))
            .map_err(|error| StorageError::Commit(error.to_string()))?;
        Ok(Self { jobs })
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
    execute(connection, "SAVEPOINT job")?;
    match work(connection) {
        Ok(value) => {
            execute(connection, "RELEASE job")?;
            Ok(value)
        }
        Err(error) => {
            execute(connection, "ROLLBACK TO job")?;
            execute(connection, "RELEASE job")?;
            Err(error)
        }
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StorageError> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

fn write_groups(connection: &Connection, mut queue: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while queue.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        write_group(connection, group.drain(..));
    }
}

fn write_group(connection: &Connection, group: impl Iterator<Item = Job>) {
    if let Err(error) = execute(connection, "BEGIN IMMEDIATE") {
        // Dropping the jobs closes their answers: the callers see a closed store.
        tracing::error!(%error, "cannot begin a transaction");
        return;
    }
    let finishes: Vec<Finish> = group.map(|job| job(connection)).collect();
    let committed = execute(connection, "COMMIT").map_err(|error| {
        tracing::error!(%error, "cannot commit");
        let _ = execute(connection, "ROLLBACK");
        error.to_string()
    });
    for finish in finishes {
        finish(committed.as_ref().copied().map_err(String::as_str));
    }
}
