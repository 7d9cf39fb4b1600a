//! The change table: what watchers must learn of.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_runtime::time;
use rusqlite::{Connection, Row, named_params};
use uuid::Uuid;

use super::row::{get, millis, owner_kind, signed, unsigned};
use super::{SqliteStore, execute, query_all, query_one};
use crate::domain::change::{Change, ChangeKind, NumberedChange};
use crate::domain::owner::Owner;
use crate::store::{ChangeStore, Effects, StoreError, Stored};

const INSERT: &str = "
    INSERT INTO changes (time, kind, resource_id, owner_kind, owner_uid)
    VALUES (:time, :kind, :resource_id, :owner_kind, :owner_uid)";

/// Holds also after old changes were forgotten.
const HEAD: &str = "SELECT seq AS sequence FROM sqlite_sequence WHERE name = 'changes'";

const AFTER: &str = "
    SELECT * FROM changes WHERE sequence > :sequence ORDER BY sequence LIMIT :limit";

const PRUNE: &str = "
    DELETE FROM changes
    WHERE time < :before AND sequence < (SELECT max(sequence) FROM changes)";

pub(super) fn insert(connection: &Connection, change: &Change) -> Stored<()> {
    execute(
        connection,
        INSERT,
        named_params! {
            ":time": millis(time::now()),
            ":kind": change.kind.number(),
            ":resource_id": change.resource_id,
            ":owner_kind": change.owner.map(|owner| owner.kind.number()),
            ":owner_uid": change.owner.map(|owner| owner.uid),
        },
    )
    .map(drop)
}

pub(super) fn head(connection: &Connection) -> Stored<u64> {
    let head = query_one(connection, HEAD, [], |row| unsigned(row, "sequence"))?;
    Ok(head.unwrap_or(0))
}

fn read(row: &Row<'_>) -> Stored<NumberedChange> {
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
impl ChangeStore for SqliteStore {
    async fn change_head(&self) -> Stored<u64> {
        self.read(head).await
    }

    async fn changes_after(&self, sequence: u64, limit: u32) -> Stored<Vec<NumberedChange>> {
        self.read(move |connection| {
            let params = named_params! { ":sequence": signed(sequence), ":limit": limit };
            query_all(connection, AFTER, params, read)
        })
        .await
    }

    async fn changes_prune(&self, before: Timestamp) -> Stored<()> {
        let prune = move |connection: &Connection| {
            execute(
                connection,
                PRUNE,
                named_params! { ":before": millis(before) },
            )
            .map(drop)
        };
        self.mutate(Effects::default(), prune).await.map(drop)
    }
}
