//! The change table: what watchers must learn of.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_runtime::time;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::row::{get, millis, owner_kind, signed, unsigned};
use super::watchers;
use super::{PostgresStore, Values, execute, execute_one, query_all, query_one};
use crate::domain::change::{Change, ChangeKind, NumberedChange};
use crate::domain::owner::Owner;
use crate::store::{ChangeStore, StoreError, Stored};

/// Takes the next number, and with it the counter until the transaction ends.
const INSERT: &str = "
    WITH next AS (UPDATE change_head SET sequence = sequence + 1 RETURNING sequence)
    INSERT INTO changes (sequence, time, kind, resource_id, owner_kind, owner_uid)
    SELECT sequence, $1, $2, $3, $4, $5 FROM next";

/// Holds also after old changes were forgotten.
const HEAD: &str = "SELECT sequence FROM change_head";

const AFTER: &str = "SELECT * FROM changes WHERE sequence > $1 ORDER BY sequence LIMIT $2";

const PRUNE: &str = "
    DELETE FROM changes WHERE time < $1 AND sequence < (SELECT max(sequence) FROM changes)";

pub(super) async fn insert(session: &Session, change: &Change) -> Stored<()> {
    let values: Values<'_> = &[
        &millis(time::now()),
        &i64::from(change.kind.number()),
        &change.resource_id,
        &change.owner.map(|owner| i64::from(owner.kind.number())),
        &change.owner.map(|owner| owner.uid),
    ];
    execute_one(session, INSERT, values).await
}

pub(super) async fn head(session: &Session) -> Stored<u64> {
    let head = query_one(session, HEAD, &[], |row| unsigned(row, "sequence")).await?;
    head.ok_or(StoreError::Malformed("the counter of changes is missing"))
}

fn read(row: &Row) -> Stored<NumberedChange> {
    let kind = ChangeKind::from_number(get(row, "kind")?);
    let owner_uid: Option<Uuid> = get(row, "owner_uid")?;
    let owner = match (get::<Option<i64>>(row, "owner_kind")?, owner_uid) {
        (Some(kind), Some(uid)) => Some(Owner {
            kind: owner_kind(kind)?,
            uid,
        }),
        _ => None,
    };
    Ok(NumberedChange {
        sequence: unsigned(row, "sequence")?,
        change: Change {
            kind: kind.ok_or(StoreError::Malformed("a change kind"))?,
            resource_id: get(row, "resource_id")?,
            owner,
        },
    })
}

#[async_trait]
impl ChangeStore for PostgresStore {
    async fn change_head(&self) -> Stored<u64> {
        head(&self.session().await?).await
    }

    async fn changes_after(&self, sequence: u64, limit: u32) -> Stored<Vec<NumberedChange>> {
        let session = self.session().await?;
        let values: Values<'_> = &[&signed(sequence), &i64::from(limit)];
        query_all(&session, AFTER, values, read).await
    }

    async fn changes_prune(&self, before: Timestamp) -> Stored<()> {
        let session = self.session().await?;
        execute(&session, PRUNE, &[&millis(before)]).await?;
        execute(&session, watchers::PRUNE, &[]).await.map(drop)
    }
}
