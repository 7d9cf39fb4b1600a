//! Users and organisations.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, named_params};
use uuid::Uuid;

use super::row::{get, millis, owner, signed, time, unsigned};
use super::{
    SqliteStore, access_keys, execute_one, members, projects, provider_keys, query_all, query_one,
    replays, seals,
};
use crate::domain::identity::Account;
use crate::domain::owner::{Owner, OwnerKind};
use crate::store::{AccountStore, Effects, Page, Stored};

const INSERT: &str = "
    INSERT INTO accounts (uid, kind, id, tier, display_name, create_time, update_time, revision)
    VALUES (:uid, :kind, :id, :tier, :display_name, :create_time, :update_time, :revision)";

const FIND: &str = "SELECT * FROM accounts WHERE kind = :kind AND id = :id";

const GET: &str = "SELECT * FROM accounts WHERE uid = :uid AND kind = :kind";

const LIST: &str = "
    SELECT * FROM accounts WHERE kind = :kind AND uid < :below ORDER BY uid DESC LIMIT :limit";

const OF_MEMBER: &str = "
    SELECT accounts.* FROM accounts
    JOIN members ON members.organization_uid = accounts.uid
    WHERE members.user_uid = :user_uid AND accounts.uid < :below
    ORDER BY accounts.uid DESC LIMIT :limit";

const UPDATE: &str = "
    UPDATE accounts SET tier = :tier, display_name = :display_name, update_time = :update_time,
        revision = :next
    WHERE uid = :uid AND kind = :kind AND revision = :revision";

const DELETE: &str = "DELETE FROM accounts WHERE uid = :uid AND kind = :kind";

fn read(row: &Row<'_>) -> Stored<Account> {
    Ok(Account {
        owner: owner(row, "kind", "uid")?,
        id: get(row, "id")?,
        tier: get(row, "tier")?,
        display_name: get(row, "display_name")?,
        create_time: time(row, "create_time")?,
        update_time: time(row, "update_time")?,
        revision: unsigned(row, "revision")?,
    })
}

fn insert(connection: &Connection, account: &Account) -> Stored<()> {
    execute_one(
        connection,
        INSERT,
        named_params! {
            ":uid": account.owner.uid,
            ":kind": account.owner.kind.number(),
            ":id": account.id,
            ":tier": account.tier,
            ":display_name": account.display_name,
            ":create_time": millis(account.create_time),
            ":update_time": millis(account.update_time),
            ":revision": signed(account.revision),
        },
    )
}

/// Destroys keys before anything that names their owner goes.
fn delete(connection: &Connection, owner: Owner, now: Timestamp) -> Stored<()> {
    for project in projects::uids_of(connection, owner)? {
        projects::delete(connection, project, now)?;
    }
    provider_keys::delete_all(connection, owner)?;
    replays::delete_all(connection, owner)?;
    seals::destroy(connection, owner, now)?;
    access_keys::delete_all(connection, owner)?;
    members::delete_all(connection, owner)?;
    let params = named_params! { ":uid": owner.uid, ":kind": owner.kind.number() };
    execute_one(connection, DELETE, params)
}

#[async_trait]
impl AccountStore for SqliteStore {
    async fn account_insert(&self, account: Account, effects: Effects) -> Stored<u64> {
        self.mutate(effects, move |connection| insert(connection, &account))
            .await
    }

    async fn account_find(&self, kind: OwnerKind, id: &str) -> Stored<Option<Account>> {
        let id = id.to_owned();
        self.read(move |connection| {
            let params = named_params! { ":kind": kind.number(), ":id": id };
            query_one(connection, FIND, params, read)
        })
        .await
    }

    async fn account_get(&self, owner: Owner) -> Stored<Option<Account>> {
        self.read(move |connection| {
            let params = named_params! { ":uid": owner.uid, ":kind": owner.kind.number() };
            query_one(connection, GET, params, read)
        })
        .await
    }

    async fn account_list(&self, kind: OwnerKind, page: Page) -> Stored<Vec<Account>> {
        self.read(move |connection| {
            let params = named_params! {
                ":kind": kind.number(), ":below": page.below(), ":limit": page.limit(),
            };
            query_all(connection, LIST, params, read)
        })
        .await
    }

    async fn organizations_of(&self, user: Uuid, page: Page) -> Stored<Vec<Account>> {
        self.read(move |connection| {
            let params = named_params! {
                ":user_uid": user, ":below": page.below(), ":limit": page.limit(),
            };
            query_all(connection, OF_MEMBER, params, read)
        })
        .await
    }

    async fn account_update(
        &self,
        account: Account,
        revision: u64,
        effects: Effects,
    ) -> Stored<u64> {
        let update = move |connection: &Connection| {
            let params = named_params! {
                ":tier": account.tier,
                ":display_name": account.display_name,
                ":update_time": millis(account.update_time),
                ":next": signed(account.revision),
                ":uid": account.owner.uid,
                ":kind": account.owner.kind.number(),
                ":revision": signed(revision),
            };
            execute_one(connection, UPDATE, params)
        };
        self.mutate(effects, update).await
    }

    async fn account_delete(&self, owner: Owner, now: Timestamp, effects: Effects) -> Stored<u64> {
        let delete = move |connection: &Connection| delete(connection, owner, now);
        let deleted = self.mutate(effects, delete).await;
        self.traces.left();
        deleted
    }
}
