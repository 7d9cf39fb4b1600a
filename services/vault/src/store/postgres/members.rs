//! Memberships.

use async_trait::async_trait;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::row::{get, millis, time};
use super::{PostgresStore, Values, execute, execute_one, query_all, query_one};
use crate::domain::identity::Member;
use crate::domain::owner::Owner;
use crate::store::columns::role;
use crate::store::{Effects, MemberStore, Page, Stored};

const INSERT: &str = "
    INSERT INTO members (uid, organization_uid, user_uid, role, create_time)
    VALUES ($1, $2, $3, $4, $5)";

const INSERT_OR_UPDATE: &str = "
    INSERT INTO members (uid, organization_uid, user_uid, role, create_time)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (organization_uid, user_uid) DO UPDATE SET role = excluded.role";

const GET: &str = r#"
    SELECT members.*, o.id AS organization, u.id AS "user"
    FROM members JOIN accounts o ON o.uid = organization_uid JOIN accounts u ON u.uid = user_uid
    WHERE organization_uid = $1 AND user_uid = $2"#;

const LIST: &str = r#"
    SELECT members.*, o.id AS organization, u.id AS "user"
    FROM members JOIN accounts o ON o.uid = organization_uid JOIN accounts u ON u.uid = user_uid
    WHERE organization_uid = $1 AND members.uid < $2
    ORDER BY members.uid DESC LIMIT $3"#;

const OF_USER: &str = r#"
    SELECT members.*, o.id AS organization, u.id AS "user"
    FROM members JOIN accounts o ON o.uid = organization_uid JOIN accounts u ON u.uid = user_uid
    WHERE user_uid = $1
    ORDER BY members.uid LIMIT $2"#;

const DELETE: &str = "DELETE FROM members WHERE organization_uid = $1 AND user_uid = $2";

const DELETE_ALL: &str = "DELETE FROM members WHERE organization_uid = $1 OR user_uid = $1";

fn read(row: &Row) -> Stored<Member> {
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

async fn set(session: &Session, member: &Member, sql: &'static str) -> Stored<()> {
    let values: Values<'_> = &[
        &member.uid,
        &member.organization_uid,
        &member.user_uid,
        &i64::from(member.role.to_proto() as i32),
        &millis(member.create_time),
    ];
    execute_one(session, sql, values).await
}

pub(super) async fn delete_all(session: &Session, owner: Owner) -> Stored<()> {
    execute(session, DELETE_ALL, &[&owner.uid]).await.map(drop)
}

#[async_trait]
impl MemberStore for PostgresStore {
    async fn member_set(&self, member: Member, create_only: bool, effects: Effects) -> Stored<u64> {
        let sql = match create_only {
            true => INSERT,
            false => INSERT_OR_UPDATE,
        };
        self.mutate(effects, move |session| {
            Box::pin(async move { set(session, &member, sql).await })
        })
        .await
    }

    async fn member_get(&self, organization: Uuid, user: Uuid) -> Stored<Option<Member>> {
        let session = self.session().await?;
        query_one(&session, GET, &[&organization, &user], read).await
    }

    async fn member_list(&self, organization: Uuid, page: Page) -> Stored<Vec<Member>> {
        let session = self.session().await?;
        let values: Values<'_> = &[&organization, &page.below(), &page.limit()];
        query_all(&session, LIST, values, read).await
    }

    async fn memberships_of(&self, user: Uuid, limit: u32) -> Stored<Vec<Member>> {
        let session = self.session().await?;
        query_all(&session, OF_USER, &[&user, &i64::from(limit)], read).await
    }

    async fn member_remove(&self, organization: Uuid, user: Uuid, effects: Effects) -> Stored<u64> {
        self.mutate(effects, move |session| {
            Box::pin(async move { execute_one(session, DELETE, &[&organization, &user]).await })
        })
        .await
    }
}
