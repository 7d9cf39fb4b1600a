//! Memberships.

use async_trait::async_trait;
use rusqlite::{Connection, Row, named_params};
use uuid::Uuid;

use super::row::{get, millis, time};
use super::{SqliteStore, execute, execute_one, query_all, query_one};
use crate::domain::identity::Member;
use crate::domain::owner::Owner;
use crate::store::columns::role;
use crate::store::{Effects, MemberStore, Page, Stored};

const INSERT: &str = "
    INSERT INTO members (uid, organization_uid, user_uid, role, create_time)
    VALUES (:uid, :organization_uid, :user_uid, :role, :create_time)";

const INSERT_OR_UPDATE: &str = "
    INSERT INTO members (uid, organization_uid, user_uid, role, create_time)
    VALUES (:uid, :organization_uid, :user_uid, :role, :create_time)
    ON CONFLICT (organization_uid, user_uid) DO UPDATE SET role = excluded.role";

const GET: &str = "
    SELECT members.*, o.id AS organization, u.id AS user
    FROM members JOIN accounts o ON o.uid = organization_uid JOIN accounts u ON u.uid = user_uid
    WHERE organization_uid = :organization_uid AND user_uid = :user_uid";

const LIST: &str = "
    SELECT members.*, o.id AS organization, u.id AS user
    FROM members JOIN accounts o ON o.uid = organization_uid JOIN accounts u ON u.uid = user_uid
    WHERE organization_uid = :organization_uid AND members.uid < :below
    ORDER BY members.uid DESC LIMIT :limit";

const OF_USER: &str = "
    SELECT members.*, o.id AS organization, u.id AS user
    FROM members JOIN accounts o ON o.uid = organization_uid JOIN accounts u ON u.uid = user_uid
    WHERE user_uid = :user_uid
    ORDER BY members.uid LIMIT :limit";

const DELETE: &str = "
    DELETE FROM members WHERE organization_uid = :organization_uid AND user_uid = :user_uid";

const DELETE_ALL: &str = "
    DELETE FROM members WHERE organization_uid = :uid OR user_uid = :uid";

fn read(row: &Row<'_>) -> Stored<Member> {
    Ok(Member {
        uid: get(row, "uid")?,
        organization_uid: get(row, "organization_uid")?,
        organization: get(row, "organization")?,
        user_uid: get(row, "user_uid")?,
        user: get(row, "user")?,
        role: role(get(row, "role")?)?,
        create_time: time(row, "create_time")?,
    })
}

pub(super) fn delete_all(connection: &Connection, owner: Owner) -> Stored<()> {
    execute(connection, DELETE_ALL, named_params! { ":uid": owner.uid }).map(drop)
}

#[async_trait]
impl MemberStore for SqliteStore {
    async fn member_set(&self, member: Member, create_only: bool, effects: Effects) -> Stored<u64> {
        let sql = if create_only {
            INSERT
        } else {
            INSERT_OR_UPDATE
        };
        let set = move |connection: &Connection| {
            let params = named_params! {
                ":uid": member.uid,
                ":organization_uid": member.organization_uid,
                ":user_uid": member.user_uid,
                ":role": member.role.to_proto() as i32,
                ":create_time": millis(member.create_time),
            };
            execute_one(connection, sql, params)
        };
        self.mutate(effects, set).await
    }

    async fn member_get(&self, organization: Uuid, user: Uuid) -> Stored<Option<Member>> {
        self.read(move |connection| {
            let params = named_params! { ":organization_uid": organization, ":user_uid": user };
            query_one(connection, GET, params, read)
        })
        .await
    }

    async fn member_list(&self, organization: Uuid, page: Page) -> Stored<Vec<Member>> {
        self.read(move |connection| {
            let params = named_params! {
                ":organization_uid": organization, ":below": page.below(), ":limit": page.limit(),
            };
            query_all(connection, LIST, params, read)
        })
        .await
    }

    async fn memberships_of(&self, user: Uuid, limit: u32) -> Stored<Vec<Member>> {
        self.read(move |connection| {
            let params = named_params! { ":user_uid": user, ":limit": limit };
            query_all(connection, OF_USER, params, read)
        })
        .await
    }

    async fn member_remove(&self, organization: Uuid, user: Uuid, effects: Effects) -> Stored<u64> {
        let remove = move |connection: &Connection| {
            let params = named_params! { ":organization_uid": organization, ":user_uid": user };
            execute_one(connection, DELETE, params)
        };
        self.mutate(effects, remove).await
    }
}
