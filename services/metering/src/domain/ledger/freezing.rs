//! Books that are closed, and opened again.

use super::{Books, Command, Needs};
use crate::domain::account::AccountKey;

/// Closes an account's books to everything that moves money, or opens them again. Says whether that
/// changed anything.
#[derive(Debug, Clone)]
pub(crate) struct Freeze {
    pub(crate) account: AccountKey,
    pub(crate) frozen: bool,
}

impl Command for Freeze {
    type Answer = bool;

    fn account(&self) -> AccountKey {
        self.account
    }

    fn needs(&self, needs: &mut Needs) {
        needs.accounts.insert(self.account);
    }

    fn apply(&self, books: &mut Books) -> bool {
        if books.is_frozen(self.account) == self.frozen {
            return false;
        }
        books.account(self.account).frozen = self.frozen;
        true
    }
}
