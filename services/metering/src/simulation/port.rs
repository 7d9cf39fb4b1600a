//! How the simulated routers reach the ledger: the rules alone, or the real writers over a store in
//! memory. Either may fail before it has done what it was asked for, or after.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use keyward_storage::StorageError;
use parking_lot::Mutex;
use proptest::test_runner::TestRng;

use super::world::{chance, rng};
use crate::MeteringError;
use crate::app::Ledger;
use crate::domain::ledger::oracle::assert_adds_up;
use crate::domain::ledger::{Books, Command};
use crate::domain::notice::LowBalance;
use crate::store::{Batch, BatchStore, SHARDS, StoreError};

/// Nobody knows what became of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unheard;

/// A way to the ledger.
#[async_trait]
pub(super) trait Port: Send + Sync {
    /// Asks for something.
    async fn ask<C: Command>(&self, command: C) -> Result<C::Answer, Unheard>;

    /// All that is written.
    fn written(&self) -> Vec<Arc<Mutex<Books>>>;

    /// From now on nothing fails.
    fn heal(&self);

    /// Ends it.
    async fn close(&self);
}

/// The rules, with one set of books.
pub(super) struct Direct {
    books: Arc<Mutex<Books>>,
    faults: Mutex<Option<TestRng>>,
}

impl Direct {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            books: Arc::default(),
            faults: Mutex::new(Some(rng(seed, "direct"))),
        }
    }
}

#[async_trait]
impl Port for Direct {
    async fn ask<C: Command>(&self, command: C) -> Result<C::Answer, Unheard> {
        let mut faults = self.faults.lock();
        let mut fails = || faults.as_mut().is_some_and(|rng| chance(rng, 10));
        if fails() {
            return Err(Unheard);
        }
        let mut books = self.books.lock();
        let answer = command.apply(&mut books);
        assert_adds_up(&books);
        if fails() { Err(Unheard) } else { Ok(answer) }
    }

    fn written(&self) -> Vec<Arc<Mutex<Books>>> {
        vec![Arc::clone(&self.books)]
    }

    fn heal(&self) {
        *self.faults.lock() = None;
    }

    async fn close(&self) {}
}

/// The writers, over a store in memory.
pub(super) struct Written {
    ledger: Ledger,
    store: Arc<Memory>,
}

impl Written {
    pub(super) fn new(seed: u64) -> Self {
        let store = Arc::new(Memory::new(seed));
        let written: Arc<dyn BatchStore> = Arc::clone(&store) as Arc<dyn BatchStore>;
        Self {
            ledger: Ledger::start(&written, LowBalance::default()),
            store,
        }
    }
}

#[async_trait]
impl Port for Written {
    async fn ask<C: Command>(&self, command: C) -> Result<C::Answer, Unheard> {
        self.ledger.run(command).await.map_err(|error| match error {
            MeteringError::NotWritten(_) => Unheard,
            error => panic!("the writer is gone: {error}"),
        })
    }

    fn written(&self) -> Vec<Arc<Mutex<Books>>> {
        self.store.shards.values().cloned().collect()
    }

    fn heal(&self) {
        *self.store.faults.lock() = None;
    }

    async fn close(&self) {
        self.ledger.close().await;
    }
}

/// Books by shard. A batch is run on a copy, which is kept or lost as a whole.
struct Memory {
    shards: BTreeMap<u16, Arc<Mutex<Books>>>,
    faults: Mutex<Option<TestRng>>,
}

impl Memory {
    fn new(seed: u64) -> Self {
        Self {
            shards: (0..SHARDS).map(|shard| (shard, Arc::default())).collect(),
            faults: Mutex::new(Some(rng(seed, "store"))),
        }
    }

    fn fails(&self) -> bool {
        let mut faults = self.faults.lock();
        faults.as_mut().is_some_and(|rng| chance(rng, 10))
    }
}

fn lost() -> StoreError {
    StoreError::Storage(StorageError::Commit("lost".to_owned()))
}

#[async_trait]
impl BatchStore for Memory {
    async fn transact(&self, shard: u16, batch: Arc<Batch>) -> Result<(), StoreError> {
        // Others go on while a commit takes its time.
        tokio::task::yield_now().await;
        let books = self.shards.get(&shard).cloned().unwrap_or_default();
        if self.fails() {
            // Run in vain, as where the commit fails.
            batch.run(&mut books.lock().clone());
            return Err(lost());
        }
        let mut after = books.lock().clone();
        batch.run(&mut after);
        assert_adds_up(&after);
        *books.lock() = after;
        if self.fails() { Err(lost()) } else { Ok(()) }
    }
}
