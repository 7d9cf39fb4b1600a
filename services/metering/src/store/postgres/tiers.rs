//! Tiers, and answers to changes of them.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_storage::postgres::{Row, Session};

use super::super::{Answer, Call, NewAnswer, StoreError, TierStore};
use super::row::{self, get, small, time};
use super::{PostgresStore, Values};
use crate::domain::tier::{Terms, Tier, TierLimits};

const ALL: &str = r#"SELECT * FROM tier ORDER BY name COLLATE "C""#;

const PUT: &str = "
    INSERT INTO tier (name, markup_basis_points, organization_keys, requests_per_minute,
        tokens_per_minute, concurrency, revision, create_ms, update_ms)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (name) DO UPDATE SET
        markup_basis_points = excluded.markup_basis_points,
        organization_keys = excluded.organization_keys,
        requests_per_minute = excluded.requests_per_minute,
        tokens_per_minute = excluded.tokens_per_minute,
        concurrency = excluded.concurrency,
        revision = excluded.revision,
        update_ms = excluded.update_ms";

const FORGET: &str = "DELETE FROM answer WHERE answer_ms < $1";

const REMEMBER: &str = "
    INSERT INTO answer (caller, method, request_id, request, answer, answer_ms)
    VALUES ($1, $2, $3, $4, $5, $6)";

const ANSWER: &str = "
    SELECT request, answer FROM answer
    WHERE caller = $1 AND method = $2 AND request_id = $3 AND answer_ms >= $4";

fn read(row: &Row) -> Result<Tier, StoreError> {
    let limit = |column| get::<Option<i64>>(row, column);
    let small = |number: i64| u32::try_from(number).map_err(|_| row::corrupt("tier"));
    Ok(Tier {
        name: get(row, "name")?,
        terms: Terms {
            markup: row::markup(get(row, "markup_basis_points")?)?,
            organization_keys: get(row, "organization_keys")?,
            limits: TierLimits {
                requests_per_minute: limit("requests_per_minute")?.map(small).transpose()?,
                tokens_per_minute: limit("tokens_per_minute")?.map(row::unsigned).transpose()?,
                concurrency: limit("concurrency")?.map(small).transpose()?,
            },
        },
        revision: self::small(row, "revision")?,
        create_time: time(row, "create_ms")?,
        update_time: time(row, "update_ms")?,
    })
}

async fn put(session: &Session, tier: &Tier, answer: Option<&NewAnswer>) -> Result<(), StoreError> {
    let (terms, limits) = (&tier.terms, &tier.terms.limits);
    let values: Values<'_> = &[
        &tier.name,
        &i64::from(terms.markup.get()),
        &terms.organization_keys,
        &limits.requests_per_minute.map(i64::from),
        &limits.tokens_per_minute.map(row::signed).transpose()?,
        &limits.concurrency.map(i64::from),
        &row::signed(tier.revision)?,
        &tier.create_time.as_millisecond(),
        &tier.update_time.as_millisecond(),
    ];
    session.execute(PUT, values).await?;
    match answer {
        Some(answer) => remember(session, answer).await,
        None => Ok(()),
    }
}

/// Keeps an answer, and lets go of those that nobody can ask for any more.
pub(super) async fn remember(session: &Session, new: &NewAnswer) -> Result<(), StoreError> {
    let forget_before = new.forget_before.as_millisecond();
    session.execute(FORGET, &[&forget_before]).await?;
    let values: Values<'_> = &[
        &row::text(&new.call.caller),
        &new.call.method,
        &row::text(&new.call.request_id),
        &new.answer.request,
        &new.answer.answer,
        &new.time.as_millisecond(),
    ];
    session.execute(REMEMBER, values).await?;
    Ok(())
}

/// Whether a row was touched; the answer is kept only if one was.
pub(super) async fn answered(
    session: &Session,
    touched: u64,
    answer: Option<&NewAnswer>,
) -> Result<bool, StoreError> {
    if let Some(answer) = answer.filter(|_| touched > 0) {
        remember(session, answer).await?;
    }
    Ok(touched > 0)
}

#[async_trait]
impl TierStore for PostgresStore {
    async fn tiers(&self) -> Result<Vec<Tier>, StoreError> {
        let rows = self.session().await?.query(ALL, &[]).await?;
        rows.iter().map(read).collect()
    }

    async fn tier_put(&self, tier: Tier, answer: Option<NewAnswer>) -> Result<(), StoreError> {
        self.write(move |session| {
            Box::pin(async move { put(session, &tier, answer.as_ref()).await })
        })
        .await
    }

    async fn answer(&self, call: Call, since: Timestamp) -> Result<Option<Answer>, StoreError> {
        let values: Values<'_> = &[
            &row::text(&call.caller),
            &call.method,
            &row::text(&call.request_id),
            &since.as_millisecond(),
        ];
        let found = self.session().await?.query_first(ANSWER, values).await?;
        let read = |row: Row| {
            Ok(Answer {
                request: get(&row, "request")?,
                answer: get(&row, "answer")?,
            })
        };
        found.map(read).transpose()
    }
}
