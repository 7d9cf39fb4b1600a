//! Notices, and what is to be sent of them.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_runtime::time;
use rusqlite::{Connection, Row, params};

use super::{SqliteStore, row};
use crate::domain::account::AccountKey;
use crate::domain::notice::{NewNotice, Notice};
use crate::store::notices::{ListedNotice, NoticeStore};
use crate::store::{StoreError, text};

/// Writes a notice and what is to be sent of it, in the transaction that is under way; says whether
/// its occasion had none yet.
pub(super) fn insert(connection: &Connection, new: &NewNotice) -> Result<bool, StoreError> {
    let (account, notice) = (new.account.to_string(), &new.notice);
    let inserted = connection
        .prepare_cached(
            "INSERT INTO notice (notice_id, account, kind, rule, period, threshold, subject,
                 message, data, create_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            notice.id.to_string(),
            account,
            notice.kind.name(),
            new.occasion.rule,
            new.occasion.period,
            new.occasion.threshold,
            notice.subject,
            notice.message,
            text::data(&notice.data)?,
            notice.time.as_millisecond(),
        ])?;
    if inserted == 0 {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "INSERT INTO outbox (notice_id, webhook_id, state, tries, due_ms, create_ms)
             SELECT ?1, webhook_id, 'waiting', 0, ?2, ?2 FROM webhook
             WHERE account = ?3 AND enabled = 1
                 AND (kinds = '' OR instr(kinds, ',' || ?4 || ',') > 0)",
        )?
        .execute(params![
            notice.id.to_string(),
            notice.time.as_millisecond(),
            account,
            notice.kind.name(),
        ])?;
    Ok(true)
}

pub(super) const LIST: &str = "SELECT notice_id, kind, subject, message, data, create_ms, sequence
     FROM notice WHERE account = ?1 AND sequence < ?2 ORDER BY sequence DESC LIMIT ?3";

pub(super) fn list(
    connection: &Connection,
    account: AccountKey,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<ListedNotice>, StoreError> {
    let mut statement = connection.prepare_cached(LIST)?;
    let before = before.unwrap_or(i64::MAX);
    let mut rows = statement.query(params![account.to_string(), before, limit])?;
    let mut notices = Vec::new();
    while let Some(row) = rows.next()? {
        notices.push(ListedNotice {
            sequence: row.get(6)?,
            notice: notice(row, 0)?,
        });
    }
    Ok(notices)
}

/// The notice in six columns from that one on.
pub(super) fn notice(row: &Row<'_>, first: usize) -> Result<Notice, StoreError> {
    Ok(Notice {
        id: row::uuid(&row.get::<_, String>(first)?)?,
        kind: text::kind(&row.get::<_, String>(first + 1)?)?,
        subject: row.get(first + 2)?,
        message: row.get(first + 3)?,
        data: text::read_data(&row.get::<_, String>(first + 4)?)?,
        time: time::from_millis(row.get(first + 5)?),
    })
}

pub(super) fn forget(
    connection: &Connection,
    before: Timestamp,
    limit: u32,
) -> Result<usize, StoreError> {
    let deleted = connection
        .prepare_cached(
            "DELETE FROM notice WHERE sequence IN
                 (SELECT sequence FROM notice WHERE create_ms < ?1 ORDER BY create_ms LIMIT ?2)",
        )?
        .execute(params![before.as_millisecond(), limit])?;
    Ok(deleted)
}

#[async_trait]
impl NoticeStore for SqliteStore {
    async fn notice_insert(&self, notice: NewNotice) -> Result<bool, StoreError> {
        self.write(move |connection| insert(connection, &notice))
            .await
    }

    async fn notices(
        &self,
        account: AccountKey,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<ListedNotice>, StoreError> {
        self.read(move |connection| list(connection, account, before, limit))
            .await
    }

    async fn notices_forget(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError> {
        self.write(move |connection| forget(connection, before, limit))
            .await
    }
}
