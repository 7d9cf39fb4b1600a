//! What a simulated router remembers: in memory, which a crash takes, and in its spool, which stays.

use uuid::Uuid;

use crate::domain::event::Event;
use crate::domain::ledger::NewHold;

/// What a request has come to.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// The hold was asked for, and perhaps answered.
    Asked,
    /// The provider was called: from here on there must be a record. `event` is the one that the
    /// intent in the spool names.
    Dispatched { event: Event },
}

/// A request that a router serves.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) hold: NewHold,
    pub(super) stage: Stage,
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
    /// Lost in a crash, but for what was dispatched, of which the spool has the intent.
    pub(super) serving: Vec<Request>,
    /// Kept.
    pub(super) spool: Vec<Told>,
}
