//! Balances, grants, the ledger.

use keyward_money::Nanos;
use keyward_runtime::{ids, page, time};

use super::{App, REQUEST_ID_BYTES_MAX};
use crate::MeteringError;
use crate::domain::account::{AccountKey, AccountName};
use crate::domain::requester::Requester;
use crate::store::{Balance, Granted, NewGrant, Transaction};

/// The most credits of one grant, 100 million: a slip of the hand must not fill the 64 bits of the
/// ledger, which never forgets a transfer.
const GRANT_MAX: Nanos = Nanos::new(100_000_000 * Nanos::CREDIT.get());

/// The longest note.
const NOTE_BYTES_MAX: usize = 1_000;

/// A grant of credits that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) account: String,
    pub(crate) amount: Nanos,
    pub(crate) request_id: String,
    pub(crate) note: String,
}

impl App {
    /// What an account has and holds.
    pub(crate) async fn balance(
        &self,
        requester: &Requester,
        account: &str,
    ) -> Result<(AccountName, Balance), MeteringError> {
        let access = self.access(requester, account).await?;
        Ok((access.name, self.store.balance(access.key).await?))
    }

    /// A page of an account's ledger, newest first. It shows what everybody has spent, so it is not
    /// for those who see only their own usage.
    pub(crate) async fn transactions(
        &self,
        requester: &Requester,
        account: &str,
        page_size: u32,
        page_token: &str,
    ) -> Result<(Vec<Transaction>, String), MeteringError> {
        let access = self.access(requester, account).await?;
        if access.only_user.is_some() {
            return Err(MeteringError::RoleNotAllowed("see its transactions"));
        }
        let size = page::size(page_size);
        let before = before(page_token)?;
        let rows = self
            .store
            .transactions(access.key, before, size + 1)
            .await?;
        Ok(page::cut(rows, size, |row| row.sequence.to_string()))
    }

    /// Grants credits; says whether that had been done before.
    pub(crate) async fn grant(
        &self,
        requester: &Requester,
        asked: Grant,
    ) -> Result<(Transaction, bool), MeteringError> {
        if !requester.is_platform_admin {
            return Err(MeteringError::NotAllowed);
        }
        check(&asked)?;
        let account = self.access(requester, &asked.account).await?.key;
        self.post_grant(account, asked).await
    }

    pub(super) async fn post_grant(
        &self,
        account: AccountKey,
        asked: Grant,
    ) -> Result<(Transaction, bool), MeteringError> {
        let grant = NewGrant {
            id: ids::new(),
            account,
            amount: asked.amount,
            request_id: asked.request_id,
            note: asked.note,
            time: time::now(),
        };
        match self.store.grant(grant).await? {
            Granted::Posted {
                transaction,
                duplicate,
            } => Ok((transaction, duplicate)),
            Granted::Mismatch => Err(MeteringError::IdempotencyMismatch),
            Granted::Overflow => {
                let message = "with so much the balance would be more than can be counted";
                Err(MeteringError::invalid("amount", message))
            }
        }
    }
}

fn check(asked: &Grant) -> Result<(), MeteringError> {
    if asked.account.is_empty() {
        return Err(MeteringError::invalid("account", "`account` is missing"));
    }
    if asked.amount <= Nanos::ZERO {
        return Err(MeteringError::invalid(
            "amount",
            "`amount` must be more than zero",
        ));
    }
    if asked.amount > GRANT_MAX {
        let message = format!("`amount` must not be more than {GRANT_MAX}");
        return Err(MeteringError::invalid("amount", message));
    }
    if asked.request_id.is_empty() || asked.request_id.len() > REQUEST_ID_BYTES_MAX {
        let message = "`request_id` must have 1 to 255 bytes";
        return Err(MeteringError::invalid("request_id", message));
    }
    if asked.note.len() > NOTE_BYTES_MAX {
        return Err(MeteringError::invalid(
            "note",
            "`note` is longer than 1000 bytes",
        ));
    }
    Ok(())
}

/// The sequence that a page ends before.
fn before(page_token: &str) -> Result<Option<i64>, MeteringError> {
    let key = page::key(page_token).map_err(|error| MeteringError::invalid("page_token", error))?;
    key.map(|key| key.parse())
        .transpose()
        .map_err(|_| MeteringError::invalid("page_token", page::InvalidPageToken))
}
