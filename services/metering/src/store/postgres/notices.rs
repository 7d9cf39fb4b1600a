//! Notices, and what is to be sent of them.

use std::borrow::Cow;
use std::marker::PhantomData;

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_storage::postgres::Row;

use super::super::notices::{ListedNotice, NoticeStore};
use super::super::{StoreError, text};
use super::columns::columns;
use super::row::{self, get, time};
use super::{PostgresStore, Values};
use crate::domain::account::AccountKey;
use crate::domain::notice::{NewNotice, Notice};

/// Writes notices and what is to be sent of them; an occasion that has one is left out.
pub(super) const INSERT: &str = "
    WITH inserted AS (
        INSERT INTO notice (notice_id, account, kind, rule, period, threshold, subject, message,
            data, create_ms)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
            $6::bigint[], $7::text[], $8::text[], $9::text[], $10::bigint[])
        ON CONFLICT DO NOTHING
        RETURNING notice_id, account, kind, create_ms),
    to_send AS (
        INSERT INTO outbox (notice_id, webhook_id, state, tries, due_ms, create_ms)
        SELECT notice_id, webhook_id, 'waiting', 0, inserted.create_ms, inserted.create_ms
        FROM inserted JOIN webhook ON webhook.account = inserted.account
        WHERE enabled AND (kinds = '' OR strpos(kinds, ',' || kind || ',') > 0))
    SELECT notice_id FROM inserted";

const LIST: &str = "
    SELECT notice_id, kind, subject, message, data, notice.create_ms AS notice_ms, sequence
    FROM notice WHERE account = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT $3";

const FORGET: &str = "
    DELETE FROM notice WHERE sequence IN
        (SELECT sequence FROM notice WHERE create_ms < $1 ORDER BY create_ms LIMIT $2)";

columns!(NoticeColumns of NoticeValues<'a> {
    notice_id: String,
    account: String,
    kind: &'a str,
    rule: Cow<'a, str>,
    period: Cow<'a, str>,
    threshold: i64,
    subject: Cow<'a, str>,
    message: Cow<'a, str>,
    data: String,
    create_ms: i64,
});

/// New notices as their statement takes them.
pub(super) fn new(notices: &[NewNotice]) -> Result<NoticeColumns<'_>, StoreError> {
    let mut columns = NoticeColumns::default();
    for NewNotice {
        account,
        occasion,
        notice,
    } in notices
    {
        columns.push(NoticeValues {
            notice_id: notice.id.to_string(),
            account: account.to_string(),
            kind: notice.kind.name(),
            rule: row::key(&occasion.rule),
            period: row::key(&occasion.period),
            threshold: occasion.threshold.into(),
            subject: row::text(&notice.subject),
            message: row::text(&notice.message),
            data: text::data(&notice.data)?,
            create_ms: notice.time.as_millisecond(),
            of: PhantomData,
        });
    }
    Ok(columns)
}

/// The notice in a row, with its time as `notice_ms`.
pub(super) fn read(row: &Row) -> Result<Notice, StoreError> {
    Ok(Notice {
        id: row::uuid(&get::<String>(row, "notice_id")?)?,
        kind: text::kind(&get::<String>(row, "kind")?)?,
        subject: get(row, "subject")?,
        message: get(row, "message")?,
        data: text::read_data(&get::<String>(row, "data")?)?,
        time: time(row, "notice_ms")?,
    })
}

fn listed(row: &Row) -> Result<ListedNotice, StoreError> {
    Ok(ListedNotice {
        sequence: get(row, "sequence")?,
        notice: read(row)?,
    })
}

#[async_trait]
impl NoticeStore for PostgresStore {
    async fn notice_insert(&self, notice: NewNotice) -> Result<bool, StoreError> {
        let (session, notices) = (self.session().await?, [notice]);
        let written = session.query(INSERT, &new(&notices)?.arrays()).await?;
        Ok(!written.is_empty())
    }

    async fn notices(
        &self,
        account: AccountKey,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<ListedNotice>, StoreError> {
        let (account, before) = (account.to_string(), before.unwrap_or(i64::MAX));
        let values: Values<'_> = &[&account, &before, &i64::from(limit)];
        let rows = self.session().await?.query(LIST, values).await?;
        rows.iter().map(listed).collect()
    }

    async fn notices_forget(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError> {
        let values: Values<'_> = &[&before.as_millisecond(), &i64::from(limit)];
        let deleted = self.session().await?.execute(FORGET, values).await?;
        Ok(usize::try_from(deleted).unwrap_or(usize::MAX))
    }
}
