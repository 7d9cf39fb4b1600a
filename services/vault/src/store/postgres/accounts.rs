//! Users and organisations.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::row::{get, millis, owner, signed, time, unsigned};
use super::{
    PostgresStore, Values, access_keys, execute_one, members, projects, provider_keys, query_all,
    query_one, replays, seals,
};
use crate::domain::identity::Account;
use crate::domain::owner::{Owner, OwnerKind};
use crate::store::{AccountStore, Effects, Page, Stored};

const INSERT: &str = "
    INSERT INTO accounts (uid, kind, id, tier, display_name, create_time, update_time, revision)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

const FIND: &str = "SELECT * FROM accounts WHERE kind = $1 AND id = $2";

const GET: &str = "SELECT * FROM accounts WHERE uid = $1 AND kind = $2";

const LIST: &str = "
    SELECT * FROM accounts WHERE kind = $1 AND uid < $2 ORDER BY uid DESC LIMIT $3";

const OF_MEMBER: &str = "
    SELECT accounts.* FROM accounts
    JOIN members ON members.organization_uid = accounts.uid
    WHERE members.user_uid = $1 AND accounts.uid < $2
    ORDER BY accounts.uid DESC LIMIT $3";

const UPDATE: &str = "
    UPDATE accounts SET tier = $1, display_name = $2, update_time = $3, revision = $4
    WHERE uid = $5 AND kind = $6 AND revision = $7";

const DELETE: &str = "DELETE FROM accounts WHERE uid = $1 AND kind = $2";

fn read(row: &Row) -> Stored<Account> {
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

async fn insert(session: &Session, account: &Account) -> Stored<()> {
    let values: Values<'_> = &[
        &account.owner.uid,
        &i64::from(account.owner.kind.number()),
        &account.id,
        &account.tier,
        &account.display_name,
        &millis(account.create_time),
        &millis(account.update_time),
        &signed(account.revision),
    ];
    execute_one(session, INSERT, values).await
}

async fn update(session: &Session, account: &Account, revision: u64) -> Stored<()> {
    let values: Values<'_> = &[
        &account.tier,
        &account.display_name,
        &millis(account.update_time),
        &signed(account.revision),
        &account.owner.uid,
        &i64::from(account.owner.kind.number()),
        &signed(revision),
    ];
    execute_one(session, UPDATE, values).await
}

/// Destroys keys before anything that names their owner goes.
async fn delete(session: &Session, owner: Owner, now: Timestamp) -> Stored<()> {
    for project in projects::uids_of(session, owner).await? {
        projects::delete(session, project, now).await?;
    }
    provider_keys::delete_all(session, owner).await?;
    replays::delete_all(session, owner).await?;
    seals::destroy(session, owner, now).await?;
    access_keys::delete_all(session, owner).await?;
    members::delete_all(session, owner).await?;
    execute_one(
        session,
        DELETE,
        &[&owner.uid, &i64::from(owner.kind.number())],
    )
    .await
}

#[async_trait]
impl AccountStore for PostgresStore {
    async fn account_insert(&self, account: Account, effects: Effects) -> Stored<u64> {
        self.mutate(effects, move |session| {
            Box::pin(async move { insert(session, &account).await })
        })
        .await
    }

    async fn account_find(&self, kind: OwnerKind, id: &str) -> Stored<Option<Account>> {
        let session = self.session().await?;
        query_one(&session, FIND, &[&i64::from(kind.number()), &id], read).await
    }

    async fn account_get(&self, owner: Owner) -> Stored<Option<Account>> {
        let session = self.session().await?;
        query_one(
            &session,
            GET,
            &[&owner.uid, &i64::from(owner.kind.number())],
            read,
        )
        .await
    }

    async fn account_list(&self, kind: OwnerKind, page: Page) -> Stored<Vec<Account>> {
        let session = self.session().await?;
        let values: Values<'_> = &[&i64::from(kind.number()), &page.below(), &page.limit()];
        query_all(&session, LIST, values, read).await
    }

    async fn organizations_of(&self, user: Uuid, page: Page) -> Stored<Vec<Account>> {
        let session = self.session().await?;
        let values: Values<'_> = &[&user, &page.below(), &page.limit()];
        query_all(&session, OF_MEMBER, values, read).await
    }

    async fn account_update(
        &self,
        account: Account,
        revision: u64,
        effects: Effects,
    ) -> Stored<u64> {
        self.mutate(effects, move |session| {
            Box::pin(async move { update(session, &account, revision).await })
        })
        .await
    }

    async fn account_delete(&self, owner: Owner, now: Timestamp, effects: Effects) -> Stored<u64> {
        self.mutate(effects, move |session| {
            Box::pin(delete(session, owner, now))
        })
        .await
    }
}
