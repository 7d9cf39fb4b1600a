//! How several meterings on one store reach each other's routers. Nothing of it has to last: where it
//! is lost, who waits goes by what is known.

use std::time::Duration;

use async_trait::async_trait;
use keyward_money::Nanos;
use uuid::Uuid;

use super::StoreError;
use crate::domain::errand::Errand;
use crate::domain::ledger::Holder;

/// An errand for a router, whichever metering it is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) id: Uuid,
    pub(crate) holder: Holder,
    pub(crate) errand: Errand,
}

/// Who is connected to whom, and marks for what is asked. Times are the store's: the clocks of
/// meterings may differ.
#[async_trait]
pub(crate) trait CrossingStore: Send + Sync {
    /// States which routers are connected to a metering, in place of what it stated before. Marks and
    /// statements that nobody can need any more go.
    async fn watch_put(&self, metering: Uuid, holders: Vec<Holder>) -> Result<(), StoreError>;

    /// The routers that are connected to others, by what these have stated within `age`.
    async fn watched_elsewhere(
        &self,
        metering: Uuid,
        age: Duration,
    ) -> Result<Vec<Holder>, StoreError>;

    /// Leaves marks.
    async fn marks_put(&self, marks: Vec<Mark>) -> Result<(), StoreError>;

    /// Takes the marks for these routers, which are connected to that metering: each once, and those
    /// that another has taken too, since a router may have left it.
    async fn marks_take(
        &self,
        metering: Uuid,
        holders: Vec<Holder>,
    ) -> Result<Vec<Mark>, StoreError>;

    /// The router has done it; says what its requests in flight hold.
    async fn mark_done(&self, id: Uuid, in_flight: Nanos) -> Result<(), StoreError>;

    /// What was said of those that are done.
    async fn marks_done(&self, ids: Vec<Uuid>) -> Result<Vec<Nanos>, StoreError>;

    /// Removes marks that nobody waits for.
    async fn marks_remove(&self, ids: Vec<Uuid>) -> Result<(), StoreError>;
}
