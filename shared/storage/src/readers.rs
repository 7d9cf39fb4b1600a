//! A few threads that only read, each with a connection of its own. In WAL mode they neither wait for
//! the writer nor stop it. What waits for them waits in one line, and holds up no other thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Semaphore, oneshot};

use crate::{StorageError, connect};

/// How many reads run at the same time: the store is local, so more only compete for the disk.
const READERS: usize = 4;

/// How many reads may be under way or wait; callers beyond it wait in line themselves.
const QUEUE_MAX: usize = 4096;

/// A read, which also answers whoever asked for it. Dropped, it says that the store is closed.
type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The threads end when this is closed or dropped.
#[derive(Debug)]
pub(crate) struct Readers {
    line: Arc<Line>,
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Line {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    is_closed: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl Readers {
    pub(crate) fn open(path: &Path, more: OpenFlags) -> Result<Self, StorageError> {
        let flags = more | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let readers = Self {
            line: Arc::default(),
            room: Arc::new(Semaphore::new(QUEUE_MAX)),
        };
        for _ in 0..READERS {
            readers.start(connect(path, flags)?)?;
        }
        Ok(readers)
    }

    fn start(&self, connection: Connection) -> Result<(), StorageError> {
        let line = Arc::clone(&self.line);
        self.line.lock().threads += 1;
        let started = thread::Builder::new()
            .name("sqlite-reader".to_owned())
            .spawn(move || {
                while let Some(job) = line.take() {
                    job(&connection);
                }
                drop(connection);
                line.leave();
            });
        started.map(drop).map_err(|error| {
            self.line.leave();
            StorageError::Commit(error.to_string())
        })
    }

    /// Runs `work` on a connection that is free, unless nobody waits for it any more by then.
    pub(crate) async fn run<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let room = Arc::clone(&self.room).acquire_owned().await;
        let room = room.map_err(|_| StorageError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.line.put(Box::new(move |connection| {
            if !reply.is_closed() {
                // Statements are given back as the stack unwinds: the connection is as good as before.
                let worked = catch_unwind(AssertUnwindSafe(|| work(connection)));
                let _ = reply.send(worked.unwrap_or_else(|_| Err(StorageError::Panicked.into())));
            }
            drop(room);
        }));
        answer
            .await
            .unwrap_or_else(|_| Err(StorageError::Closed.into()))
    }

    /// Does nothing more, and waits until what is under way is done and the connections are closed.
    pub(crate) fn close(&self) {
        self.line.close();
        let mut state = self.line.lock();
        while state.threads > 0 {
            state = self.line.wait(state);
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.line.close();
    }
}

impl Line {
    fn put(&self, job: Job) {
        let mut state = self.lock();
        if !state.is_closed {
            state.jobs.push_back(job);
            self.changed.notify_one();
        }
    }

    /// What is next; none once it is closed.
    fn take(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state = self.wait(state);
        }
    }

    fn leave(&self) {
        self.lock().threads -= 1;
        self.changed.notify_all();
    }

    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        self.changed.notify_all();
        drop(state);
        // Whoever asked learns it now, and may ask for something else.
        drop(jobs);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }
}
