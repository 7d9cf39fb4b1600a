//! What a simulated router remembers: in memory, which a crash takes, and in its spool, which stays.

use uuid::Uuid;

use crate::domain::account::AccountKey;
use crate::domain::charging::Terms;
use crate::domain::event::Event;
use crate::domain::ledger::NewHold;

/// A request that was dispatched.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) hold: NewHold,
    /// What its intent in the spool says was used, while nothing better is known.
    pub(super) intent: Event,
    /// The lease that its hold was taken from.
    pub(super) lease: Option<Uuid>,
}

/// What metering lent, as a router knows it.
#[derive(Debug, Clone)]
pub(super) struct Borrowed {
    pub(super) id: Uuid,
    pub(super) account: AccountKey,
    pub(super) terms: Terms,
    /// What can be held from it.
    pub(super) free: i64,
    /// Altogether since it began.
    pub(super) granted: i64,
    pub(super) returned: i64,
    /// Whether an answer about it was lost: the next tells of what was lent before, too.
    pub(super) is_unsure: bool,
}

/// An event in the spool, to be told until it is acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) event: Event,
    /// `None` with an own key.
    pub(super) hold_id: Option<Uuid>,
    /// The lease that its hold was taken from, and that hold.
    pub(super) lease: Option<(Uuid, NewHold)>,
}

/// A router.
#[derive(Debug, Default)]
pub(super) struct Router {
    /// Lost in a crash, but for the intents.
    pub(super) serving: Vec<Request>,
    pub(super) leases: Vec<Borrowed>,
    /// Of earlier starts: given back once all is told.
    pub(super) lost: Vec<Borrowed>,
    pub(super) start: u64,
    /// Kept.
    pub(super) spool: Vec<Told>,
}
