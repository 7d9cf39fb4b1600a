//! Commands that are committed together: each is applied to the same books, and answered once what
//! all of them changed is stored.

use std::fmt;
use std::sync::Arc;

use keyward_runtime::error;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{BatchStore, StoreError};
use crate::domain::ledger::{Books, Command, Needs};
use crate::domain::notice::LowBalance;

/// Why a command has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotWritten {
    /// What was asked for was not stored, or nobody knows whether it was. Asked again under the same
    /// ids it has the same effect, once.
    #[error("the ledger could not be written")]
    Unknown,
    /// The store takes all else, but not this: asked for again it fares no better.
    #[error("the ledger cannot hold it")]
    Refused,
}

/// A command with whoever waits for its answer.
pub(crate) struct Work(Box<dyn Erased>);

impl Work {
    /// A command, and where its answer will come.
    pub(crate) fn new<C: Command>(
        command: C,
    ) -> (Self, oneshot::Receiver<Result<C::Answer, NotWritten>>) {
        let (reply, answer) = oneshot::channel();
        let pending = Pending {
            command,
            answer: None,
            reply,
        };
        (Self(Box::new(pending)), answer)
    }
}

trait Erased: Send {
    fn needs(&self, needs: &mut Needs);
    fn run(&mut self, books: &mut Books);
    fn finish(self: Box<Self>, written: Result<(), NotWritten>);
}

struct Pending<C: Command> {
    command: C,
    answer: Option<C::Answer>,
    reply: oneshot::Sender<Result<C::Answer, NotWritten>>,
}

impl<C: Command> Erased for Pending<C> {
    fn needs(&self, needs: &mut Needs) {
        self.command.needs(needs);
    }

    fn run(&mut self, books: &mut Books) {
        self.answer = Some(self.command.apply(books));
    }

    fn finish(self: Box<Self>, written: Result<(), NotWritten>) {
        let Self { answer, reply, .. } = *self;
        // Whoever asked may have gone; what was written stays.
        let _ = reply.send(written.and_then(|()| answer.ok_or(NotWritten::Unknown)));
    }
}

/// A batch for one shard. An engine may run it again on books that it has loaded anew.
pub(crate) struct Batch {
    works: Mutex<Vec<Work>>,
    low_balance: LowBalance,
}

impl Batch {
    /// Applied in this order.
    pub(crate) fn new(works: Vec<Work>) -> Self {
        Self {
            works: Mutex::new(works),
            low_balance: LowBalance::default(),
        }
    }

    /// The same, with another word on which balances are low.
    #[must_use]
    pub(crate) fn with_low_balance(self, low_balance: LowBalance) -> Self {
        Self {
            low_balance,
            ..self
        }
    }

    /// What must be loaded.
    pub(crate) fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for work in self.works.lock().iter() {
            work.0.needs(&mut needs);
        }
        needs
    }

    /// Applies all of it to what was loaded.
    pub(crate) fn run(&self, books: &mut Books) {
        books.low_balance = self.low_balance;
        for work in self.works.lock().iter_mut() {
            work.0.run(books);
        }
    }

    /// Its two halves, which leave nothing of it; `None` for a single command.
    fn halves(&self) -> Option<[Self; 2]> {
        let mut works = self.works.lock();
        let half = works.len() / 2;
        (half > 0).then(|| {
            let second = works.split_off(half);
            [std::mem::take(&mut *works), second]
                .map(|half| Self::new(half).with_low_balance(self.low_balance))
        })
    }

    /// Answers everybody.
    fn finish(&self, written: Result<(), NotWritten>) {
        for work in self.works.lock().drain(..) {
            work.0.finish(written);
        }
    }
}

/// Commits commands of one shard, and answers them. Where the store refuses what is in a batch, each
/// half of it is tried by itself, so that only what it does refuse is left out.
pub(crate) async fn transact(store: &dyn BatchStore, shard: u16, batch: Batch) {
    let mut left = vec![batch];
    while let Some(batch) = left.pop() {
        let batch = Arc::new(batch);
        let written = store.transact(shard, Arc::clone(&batch)).await;
        let refused = written
            .as_ref()
            .is_err_and(StoreError::is_of_what_is_stored);
        if let Some([first, second]) = refused.then(|| batch.halves()).flatten() {
            left.extend([second, first]);
            continue;
        }
        batch.finish(written.map_err(|fault| {
            tracing::error!(
                error.chain = %error::chain(&fault),
                "the ledger cannot be written"
            );
            match refused {
                true => NotWritten::Refused,
                false => NotWritten::Unknown,
            }
        }));
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let commands = self.works.lock().len();
        f.debug_struct("Batch")
            .field("commands", &commands)
            .finish_non_exhaustive()
    }
}
