//! Balances, grants, the ledger.

use jiff::Timestamp;
use keyward_money::Nanos;
use keyward_runtime::{ids, page, time};

use super::{App, REQUEST_ID_BYTES_MAX};
use crate::MeteringError;
use crate::domain::account::{AccountKey, AccountName};
use crate::domain::event::Event;
use crate::domain::ledger::{Granted, NewGrant, NewRefund, Refunded, Transfer};
use crate::domain::receipt::Record;
use crate::domain::requester::{Requester, Visibility};
use crate::store::{Balance, Transaction};

/// The most credits of one grant, 100 million: a slip of the hand must not fill the 64 bits of the
/// ledger, which never forgets a transfer.
const GRANT_MAX: Nanos = Nanos::new(100_000_000 * Nanos::CREDIT.get());

/// Which priorities grants can have.
const PRIORITIES: std::ops::RangeInclusive<i32> = -100..=100;

/// The longest note.
const NOTE_BYTES_MAX: usize = 1_000;

/// A grant of credits that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) account: String,
    pub(crate) amount: Nanos,
    /// Grants of a lower one burn first.
    pub(crate) priority: i32,
    /// From when it counts no more.
    pub(crate) expire_time: Option<Timestamp>,
    pub(crate) request_id: String,
    pub(crate) note: String,
}

/// A refund that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Refund {
    pub(crate) inference_id: String,
    /// All that is left of the charge where absent.
    pub(crate) amount: Option<Nanos>,
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
        let in_flight = self.flush(access.key).await?;
        let mut balance = self.store.balance(access.key).await?;
        // Requests in flight are what is held; what is lent and lies with routers is not.
        balance.held = balance.held.saturating_add(in_flight);
        Ok((access.name, balance))
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
        self.flush(access.key).await?;
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
    ) -> Result<(Transfer, bool), MeteringError> {
        if !requester.is_platform_admin {
            return Err(MeteringError::NotAllowed);
        }
        check(&asked)?;
        let account = self.access(requester, &asked.account).await?.key;
        self.post_grant(account, asked).await
    }

    /// Gives back what a request was charged; says whether that had been done before.
    pub(crate) async fn refund(
        &self,
        requester: &Requester,
        asked: Refund,
    ) -> Result<(Transfer, bool), MeteringError> {
        if !requester.is_platform_admin {
            return Err(MeteringError::NotAllowed);
        }
        check_words(&asked.request_id, &asked.note)?;
        if asked.amount.is_some_and(|amount| amount <= Nanos::ZERO) {
            let message = "`amount` must be more than zero";
            return Err(MeteringError::invalid("amount", message));
        }
        let event = self.charged_event(&asked.inference_id).await?;
        let refund = NewRefund {
            id: ids::new(),
            account: event.account,
            event_id: event.id,
            amount: asked.amount,
            request_id: asked.request_id,
            note: asked.note,
            time: time::now(),
        };
        match self.ledger.run(refund).await? {
            Refunded::Posted {
                transfer,
                duplicate,
            } => Ok((*transfer, duplicate)),
            Refunded::Mismatch => Err(MeteringError::IdempotencyMismatch),
            Refunded::NotCharged => Err(MeteringError::NotFound("charge")),
            Refunded::Frozen => Err(MeteringError::AccountFrozen),
            Refunded::TooMuch { left } => {
                let message = format!("only {left} of the charge is left to be given back");
                Err(MeteringError::invalid("amount", message))
            }
        }
    }

    /// The attempt of a request that was charged.
    async fn charged_event(&self, inference_id: &str) -> Result<Event, MeteringError> {
        self.flush_all().await?;
        let everything = Visibility {
            account: None,
            user_uid: None,
        };
        let attempts = self
            .store
            .attempts(inference_id.to_owned(), everything)
            .await?;
        let charged = |record: &Record| !record.priced.charge.is_zero();
        let record = attempts.into_iter().find(charged);
        let record = record.ok_or(MeteringError::NotFound("charge"))?;
        Ok(record.event)
    }

    pub(super) async fn post_grant(
        &self,
        account: AccountKey,
        asked: Grant,
    ) -> Result<(Transfer, bool), MeteringError> {
        let grant = NewGrant {
            id: ids::new(),
            account,
            amount: asked.amount,
            priority: asked.priority,
            expire_time: asked.expire_time,
            request_id: asked.request_id,
            note: asked.note,
            time: time::now(),
        };
        match self.ledger.run(grant).await? {
            Granted::Posted {
                transfer,
                duplicate,
            } => Ok((*transfer, duplicate)),
            Granted::Mismatch => Err(MeteringError::IdempotencyMismatch),
            Granted::Frozen => Err(MeteringError::AccountFrozen),
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
    if !PRIORITIES.contains(&asked.priority) {
        let message = "`priority` must be -100 to 100";
        return Err(MeteringError::invalid("priority", message));
    }
    if asked
        .expire_time
        .is_some_and(|expires| expires <= time::now())
    {
        let message = "`expire_time` must be in the future";
        return Err(MeteringError::invalid("expire_time", message));
    }
    check_words(&asked.request_id, &asked.note)
}

fn check_words(request_id: &str, note: &str) -> Result<(), MeteringError> {
    if request_id.is_empty() || request_id.len() > REQUEST_ID_BYTES_MAX {
        let message = "`request_id` must have 1 to 255 bytes";
        return Err(MeteringError::invalid("request_id", message));
    }
    if note.len() > NOTE_BYTES_MAX {
        return Err(MeteringError::invalid(
            "note",
            "`note` is longer than 1000 bytes",
        ));
    }
    Ok(())
}

/// The sequence that a page ends before.
pub(super) fn before(page_token: &str) -> Result<Option<i64>, MeteringError> {
    let key = page::key(page_token).map_err(|error| MeteringError::invalid("page_token", error))?;
    key.map(|key| key.parse())
        .transpose()
        .map_err(|_| MeteringError::invalid("page_token", page::InvalidPageToken))
}
