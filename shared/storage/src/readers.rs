//! A few connections that only read. In WAL mode they neither wait for the writer nor stop it.

use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags};

use crate::{StorageError, connect};

/// How many reads run at the same time: the store is local, so more only compete for the disk.
const READERS: usize = 4;

#[derive(Debug)]
pub(crate) struct Readers {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    idle: Vec<Connection>,
    in_use: usize,
    is_closed: bool,
}

impl Readers {
    pub(crate) fn open(path: &Path, more: OpenFlags) -> Result<Self, StorageError> {
        let flags = more | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let idle = (0..READERS)
            .map(|_| connect(path, flags))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            state: Mutex::new(State {
                idle,
                in_use: 0,
                is_closed: false,
            }),
            changed: Condvar::new(),
        })
    }

    /// Runs `work` on an idle connection, waiting for one if need be.
    pub(crate) fn run<T, E: From<StorageError>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let borrowed = Borrowed {
            connection: Some(self.take().ok_or(StorageError::Closed)?),
            readers: self,
        };
        match &borrowed.connection {
            Some(connection) => work(connection),
            None => Err(StorageError::Closed.into()),
        }
    }

    /// Closes the connections, those in use once they are given back, and waits for that.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.idle.clear();
        self.changed.notify_all();
        while state.in_use > 0 {
            state = self.wait(state);
        }
    }

    /// An idle connection; none once they are closed.
    fn take(&self) -> Option<Connection> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(connection) = state.idle.pop() {
                state.in_use += 1;
                return Some(connection);
            }
            state = self.wait(state);
        }
    }

    fn give_back(&self, connection: Connection) {
        let mut state = self.lock();
        state.in_use -= 1;
        if state.is_closed {
            drop(connection);
            self.changed.notify_all();
        } else {
            state.idle.push(connection);
            self.changed.notify_one();
        }
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

/// Gives its connection back when dropped, also when the work panicked.
struct Borrowed<'a> {
    connection: Option<Connection>,
    readers: &'a Readers,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.readers.give_back(connection);
        }
    }
}
