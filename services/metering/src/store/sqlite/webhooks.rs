//! Where notices are sent.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_runtime::time;
use keyward_secret::Secret;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{SqliteStore, row, tiers};
use crate::domain::account::AccountKey;
use crate::domain::signature::SigningSecret;
use crate::domain::webhook::{DeliveryRecord, Terms, Webhook};
use crate::store::notices::{Endpoint, NewWebhook, WebhookStore};
use crate::store::{NewAnswer, StoreError, text};

/// What a webhook is read from, in this order.
const GET: &str = "SELECT webhook_id, account, account_name, url, kinds, label, enabled, revision,
         create_ms, update_ms, success_ms, failure_ms, failure, secret
     FROM webhook WHERE webhook_id = ?1";

pub(super) const LIST: &str =
    "SELECT webhook_id, account, account_name, url, kinds, label, enabled,
         revision, create_ms, update_ms, success_ms, failure_ms, failure
     FROM webhook WHERE account = ?1 AND webhook_id < ?2 ORDER BY webhook_id DESC LIMIT ?3";

/// How many columns of a row a webhook takes; its secret comes next.
pub(super) const COLUMNS: usize = 13;

/// After every id as it is written.
const LAST: &str = "g";

pub(super) fn insert(
    connection: &Connection,
    new: &NewWebhook,
    answer: Option<&NewAnswer>,
) -> Result<bool, StoreError> {
    let (webhook, terms) = (&new.webhook, &new.webhook.terms);
    let secret = new.secret.as_ref().map(SigningSecret::text);
    let inserted = connection
        .prepare_cached(
            "INSERT INTO webhook (webhook_id, account, account_name, url, kinds, label, enabled,
                 secret, revision, create_ms, update_ms, failure, rest_until_ms, test_ms)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, '', 0, 0
             WHERE (SELECT count(*) FROM webhook WHERE account = ?2) < ?12",
        )?
        .execute(params![
            webhook.id.to_string(),
            webhook.account.to_string(),
            webhook.account_name,
            terms.target.to_string(),
            text::kinds(&terms.kinds),
            terms.label,
            terms.enabled,
            secret.as_ref().map(Secret::expose),
            row::signed(webhook.revision)?,
            webhook.create_time.as_millisecond(),
            webhook.update_time.as_millisecond(),
            new.at_most,
        ])?;
    answered(connection, inserted, answer)
}

/// Whether a row was touched; the answer is kept only if one was.
fn answered(
    connection: &Connection,
    touched: usize,
    answer: Option<&NewAnswer>,
) -> Result<bool, StoreError> {
    if let Some(answer) = answer.filter(|_| touched > 0) {
        tiers::remember(connection, answer)?;
    }
    Ok(touched > 0)
}

pub(super) fn get(connection: &Connection, id: Uuid) -> Result<Option<Endpoint>, StoreError> {
    let mut statement = connection.prepare_cached(GET)?;
    let mut rows = statement.query([id.to_string()])?;
    rows.next()?.map(|row| endpoint(row, 0)).transpose()
}

pub(super) fn list(
    connection: &Connection,
    account: AccountKey,
    before: Option<Uuid>,
    limit: u32,
) -> Result<Vec<Webhook>, StoreError> {
    let mut statement = connection.prepare_cached(LIST)?;
    let before = before.map_or_else(|| LAST.to_owned(), |id| id.to_string());
    let mut rows = statement.query(params![account.to_string(), before, limit])?;
    let mut webhooks = Vec::new();
    while let Some(row) = rows.next()? {
        webhooks.push(webhook(row, 0)?);
    }
    Ok(webhooks)
}

/// The endpoint in the columns from that one on.
pub(super) fn endpoint(row: &Row<'_>, first: usize) -> Result<Endpoint, StoreError> {
    Ok(Endpoint {
        webhook: webhook(row, first)?,
        secret: text::secret(row.get(first + COLUMNS)?)?,
    })
}

fn webhook(row: &Row<'_>, first: usize) -> Result<Webhook, StoreError> {
    let account: String = row.get(first + 1)?;
    let moment = |column| -> Result<Option<Timestamp>, StoreError> {
        let millis: Option<i64> = row.get(first + column)?;
        Ok(millis.map(time::from_millis))
    };
    Ok(Webhook {
        id: row::uuid(&row.get::<_, String>(first)?)?,
        account: account.parse().map_err(|_| row::corrupt("account"))?,
        account_name: row.get(first + 2)?,
        terms: Terms {
            target: text::target(&row.get::<_, String>(first + 3)?)?,
            kinds: text::read_kinds(&row.get::<_, String>(first + 4)?)?,
            label: row.get(first + 5)?,
            enabled: row.get(first + 6)?,
        },
        revision: row::unsigned(row.get(first + 7)?)?,
        create_time: time::from_millis(row.get(first + 8)?),
        update_time: time::from_millis(row.get(first + 9)?),
        record: DeliveryRecord {
            success_time: moment(10)?,
            failure_time: moment(11)?,
            failure: row.get(first + 12)?,
        },
    })
}

pub(super) fn update(
    connection: &Connection,
    webhook: &Webhook,
    answer: Option<&NewAnswer>,
) -> Result<bool, StoreError> {
    let terms = &webhook.terms;
    // What failed for another address says nothing of this one.
    let updated = connection
        .prepare_cached(
            "UPDATE webhook SET url = ?1, kinds = ?2, label = ?3, enabled = ?4, revision = ?5,
                 update_ms = ?6, rest_until_ms = CASE url WHEN ?1 THEN rest_until_ms ELSE 0 END
             WHERE webhook_id = ?7 AND revision = ?5 - 1",
        )?
        .execute(params![
            terms.target.to_string(),
            text::kinds(&terms.kinds),
            terms.label,
            terms.enabled,
            row::signed(webhook.revision)?,
            webhook.update_time.as_millisecond(),
            webhook.id.to_string(),
        ])?;
    answered(connection, updated, answer)
}

pub(super) fn delete(
    connection: &Connection,
    id: Uuid,
    revision: u64,
    answer: Option<&NewAnswer>,
) -> Result<bool, StoreError> {
    let deleted = connection
        .prepare_cached("DELETE FROM webhook WHERE webhook_id = ?1 AND revision = ?2")?
        .execute(params![id.to_string(), row::signed(revision)?])?;
    answered(connection, deleted, answer)
}

pub(super) fn test(
    connection: &Connection,
    id: Uuid,
    now: Timestamp,
    not_since: Timestamp,
) -> Result<bool, StoreError> {
    let noted = connection
        .prepare_cached("UPDATE webhook SET test_ms = ?2 WHERE webhook_id = ?1 AND test_ms <= ?3")?
        .execute(params![
            id.to_string(),
            now.as_millisecond(),
            not_since.as_millisecond()
        ])?;
    Ok(noted > 0)
}

#[async_trait]
impl WebhookStore for SqliteStore {
    async fn webhook_insert(
        &self,
        new: NewWebhook,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| insert(connection, &new, answer.as_ref()))
            .await
    }

    async fn webhook_get(&self, id: Uuid) -> Result<Option<Endpoint>, StoreError> {
        self.read(move |connection| get(connection, id)).await
    }

    async fn webhooks(
        &self,
        account: AccountKey,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Webhook>, StoreError> {
        self.read(move |connection| list(connection, account, before, limit))
            .await
    }

    async fn webhook_update(
        &self,
        webhook: Webhook,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| update(connection, &webhook, answer.as_ref()))
            .await
    }

    async fn webhook_delete(
        &self,
        id: Uuid,
        revision: u64,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| delete(connection, id, revision, answer.as_ref()))
            .await
    }

    async fn webhook_test(
        &self,
        id: Uuid,
        now: Timestamp,
        not_since: Timestamp,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| test(connection, id, now, not_since))
            .await
    }
}
