//! What can be asked of the ledger.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{Books, PeriodKey};
use crate::domain::account::AccountKey;

/// A posting that somebody asked for, by whose account it is and under which idempotency key.
pub(crate) type PostingKey = (AccountKey, String);

/// A change of money or usage. Ids and times are in it, so that it can be applied again to the same
/// books with the same result.
pub(crate) trait Command: Send + Sync + 'static {
    /// What becomes of it.
    type Answer: Send + 'static;

    /// In whose books it is written.
    fn account(&self) -> AccountKey;

    /// Names what must be in the books.
    fn needs(&self, needs: &mut Needs);

    /// Does it.
    fn apply(&self, books: &mut Books) -> Self::Answer;
}

/// What a batch names: what must be loaded, as far as it is there, before it is applied. Budgets'
/// periods that holds count for come with the holds.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    pub(crate) accounts: BTreeSet<AccountKey>,
    pub(crate) holds: BTreeSet<Uuid>,
    pub(crate) leases: BTreeSet<Uuid>,
    pub(crate) events: BTreeSet<Uuid>,
    pub(crate) postings: BTreeSet<PostingKey>,
    pub(crate) periods: BTreeSet<PeriodKey>,
}
