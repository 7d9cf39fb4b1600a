//! Where notices are sent.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_runtime::time::from_millis;
use keyward_secret::Secret;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::super::notices::{Endpoint, NewWebhook, WebhookStore};
use super::super::{NewAnswer, StoreError, text};
use super::row::{self, get, time};
use super::tiers::answered;
use super::{PostgresStore, Values, lock_whole};
use crate::domain::account::AccountKey;
use crate::domain::signature::SigningSecret;
use crate::domain::webhook::{DeliveryRecord, Terms, Webhook};

const INSERT: &str = "
    INSERT INTO webhook (webhook_id, account, account_name, url, kinds, label, enabled, secret,
        revision, create_ms, update_ms, failure, rest_until_ms, test_ms)
    SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::boolean, $8::text,
        $9::bigint, $10::bigint, $11::bigint, '', 0, 0
    WHERE (SELECT count(*) FROM webhook WHERE account = $2) < $12";

const GET: &str = "SELECT * FROM webhook WHERE webhook_id = $1";

const LIST: &str = "
    SELECT * FROM webhook WHERE account = $1 AND webhook_id < $2
    ORDER BY webhook_id DESC LIMIT $3";

/// What failed for another address says nothing of this one.
const UPDATE: &str = "
    UPDATE webhook SET url = $1, kinds = $2, label = $3, enabled = $4, revision = $5::bigint,
        update_ms = $6, rest_until_ms = CASE url WHEN $1 THEN rest_until_ms ELSE 0 END
    WHERE webhook_id = $7 AND revision = $5::bigint - 1";

const DELETE: &str = "DELETE FROM webhook WHERE webhook_id = $1 AND revision = $2";

const TEST: &str = "UPDATE webhook SET test_ms = $2 WHERE webhook_id = $1 AND test_ms <= $3";

/// After every id as it is written.
const LAST: &str = "g";

pub(super) fn endpoint(row: &Row) -> Result<Endpoint, StoreError> {
    Ok(Endpoint {
        webhook: read(row)?,
        secret: text::secret(get(row, "secret")?)?,
    })
}

fn read(row: &Row) -> Result<Webhook, StoreError> {
    let moment = |column| get::<Option<i64>>(row, column).map(|ms| ms.map(from_millis));
    Ok(Webhook {
        id: row::uuid(&get::<String>(row, "webhook_id")?)?,
        account: row::account(&get::<String>(row, "account")?)?,
        account_name: get(row, "account_name")?,
        terms: Terms {
            target: text::target(&get::<String>(row, "url")?)?,
            kinds: text::read_kinds(&get::<String>(row, "kinds")?)?,
            label: get(row, "label")?,
            enabled: get(row, "enabled")?,
        },
        revision: row::unsigned(get(row, "revision")?)?,
        create_time: time(row, "create_ms")?,
        update_time: time(row, "update_ms")?,
        record: DeliveryRecord {
            success_time: moment("success_ms")?,
            failure_time: moment("failure_ms")?,
            failure: get(row, "failure")?,
        },
    })
}

async fn insert(
    session: &Session,
    new: &NewWebhook,
    answer: Option<&NewAnswer>,
) -> Result<bool, StoreError> {
    // Of two at once the second counts the first.
    lock_whole(session, "webhook").await?;
    let (webhook, terms) = (&new.webhook, &new.webhook.terms);
    let secret = new.secret.as_ref().map(SigningSecret::text);
    let values: Values<'_> = &[
        &webhook.id.to_string(),
        &webhook.account.to_string(),
        &row::text(&webhook.account_name),
        &terms.target.to_string(),
        &text::kinds(&terms.kinds),
        &row::text(&terms.label),
        &terms.enabled,
        &secret.as_ref().map(Secret::expose),
        &row::signed(webhook.revision)?,
        &webhook.create_time.as_millisecond(),
        &webhook.update_time.as_millisecond(),
        &i64::from(new.at_most),
    ];
    let inserted = session.execute(INSERT, values).await?;
    answered(session, inserted, answer).await
}

async fn update(
    session: &Session,
    webhook: &Webhook,
    answer: Option<&NewAnswer>,
) -> Result<bool, StoreError> {
    let terms = &webhook.terms;
    let values: Values<'_> = &[
        &terms.target.to_string(),
        &text::kinds(&terms.kinds),
        &row::text(&terms.label),
        &terms.enabled,
        &row::signed(webhook.revision)?,
        &webhook.update_time.as_millisecond(),
        &webhook.id.to_string(),
    ];
    let updated = session.execute(UPDATE, values).await?;
    answered(session, updated, answer).await
}

#[async_trait]
impl WebhookStore for PostgresStore {
    async fn webhook_insert(
        &self,
        new: NewWebhook,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |session| {
            Box::pin(async move { insert(session, &new, answer.as_ref()).await })
        })
        .await
    }

    async fn webhook_get(&self, id: Uuid) -> Result<Option<Endpoint>, StoreError> {
        let id = id.to_string();
        let found = self.session().await?.query_first(GET, &[&id]).await?;
        found.as_ref().map(endpoint).transpose()
    }

    async fn webhooks(
        &self,
        account: AccountKey,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Webhook>, StoreError> {
        let before = before.map_or_else(|| LAST.to_owned(), |id| id.to_string());
        let values: Values<'_> = &[&account.to_string(), &before, &i64::from(limit)];
        let rows = self.session().await?.query(LIST, values).await?;
        rows.iter().map(read).collect()
    }

    async fn webhook_update(
        &self,
        webhook: Webhook,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        self.write(move |session| {
            Box::pin(async move { update(session, &webhook, answer.as_ref()).await })
        })
        .await
    }

    async fn webhook_delete(
        &self,
        id: Uuid,
        revision: u64,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError> {
        let revision = row::signed(revision)?;
        self.write(move |session| {
            Box::pin(async move {
                let values: Values<'_> = &[&id.to_string(), &revision];
                let deleted = session.execute(DELETE, values).await?;
                answered(session, deleted, answer.as_ref()).await
            })
        })
        .await
    }

    async fn webhook_test(
        &self,
        id: Uuid,
        now: Timestamp,
        not_since: Timestamp,
    ) -> Result<bool, StoreError> {
        let (now, not_since) = (now.as_millisecond(), not_since.as_millisecond());
        let values: Values<'_> = &[&id.to_string(), &now, &not_since];
        let noted = self.session().await?.execute(TEST, values).await?;
        Ok(noted > 0)
    }
}
