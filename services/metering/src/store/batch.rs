//! Commands that are committed together: each is applied to the same books, and answered once what
//! all of them changed is stored.

use std::fmt;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::domain::ledger::{Books, Command, Needs};

/// What was asked for was not stored, or nobody knows whether it was. Asked again under the same ids
/// it has the same effect, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ledger could not be written")]
pub(crate) struct NotWritten;

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
    fn finish(self: Box<Self>, written: bool);
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

    fn finish(self: Box<Self>, written: bool) {
        let answer = self.answer.filter(|_| written).ok_or(NotWritten);
        // Whoever asked may have gone; what was written stays.
        let _ = self.reply.send(answer);
    }
}

/// A batch for one shard. An engine may run it again on books that it has loaded anew.
pub(crate) struct Batch(Mutex<Vec<Work>>);

impl Batch {
    /// Applied in this order.
    pub(crate) fn new(works: Vec<Work>) -> Self {
        Self(Mutex::new(works))
    }

    /// What must be loaded.
    pub(crate) fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for work in self.0.lock().iter() {
            work.0.needs(&mut needs);
        }
        needs
    }

    /// Applies all of it to what was loaded.
    pub(crate) fn run(&self, books: &mut Books) {
        for work in self.0.lock().iter_mut() {
            work.0.run(books);
        }
    }

    /// Answers everybody.
    pub(crate) fn finish(&self, written: bool) {
        for work in self.0.lock().drain(..) {
            work.0.finish(written);
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let commands = self.0.lock().len();
        f.debug_struct("Batch")
            .field("commands", &commands)
            .finish()
    }
}
