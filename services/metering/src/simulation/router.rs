//! What a simulated router remembers: in memory, which a crash takes, and in its spool, which stays.

use uuid::Uuid;

use crate::domain::event::Event;
use crate::domain::ledger::NewHold;

/// A request that was dispatched.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) hold: NewHold,
    /// What its intent in the spool says was used, while nothing better is known.
    pub(super) intent: Event,
}

/// An event in the spool, to be told until it is acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) event: Event,
    /// `None` with an own key.
    pub(super) hold_id: Option<Uuid>,
}

/// A router.
#[derive(Debug, Default)]
pub(super) struct Router {
    /// Lost in a crash, but for the intents.
    pub(super) serving: Vec<Request>,
    /// Kept.
    pub(super) spool: Vec<Told>,
}
