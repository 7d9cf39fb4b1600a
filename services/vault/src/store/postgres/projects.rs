//! Projects.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::row::{get, millis, owner, signed, time, unsigned};
use super::{
    PostgresStore, Values, access_keys, execute_one, provider_keys, query_all, query_one, replays,
    seals,
};
use crate::domain::identity::Project;
use crate::domain::owner::Owner;
use crate::store::{Effects, Page, ProjectStore, Stored};

const INSERT: &str = "
    INSERT INTO projects (uid, id, holder_uid, display_name, create_time, update_time, revision)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

const FIND: &str = "
    SELECT projects.*, accounts.kind AS holder_kind, accounts.id AS holder_id
    FROM projects JOIN accounts ON accounts.uid = projects.holder_uid
    WHERE projects.holder_uid = $1 AND projects.id = $2";

const GET: &str = "
    SELECT projects.*, accounts.kind AS holder_kind, accounts.id AS holder_id
    FROM projects JOIN accounts ON accounts.uid = projects.holder_uid
    WHERE projects.uid = $1";

const LIST: &str = "
    SELECT projects.*, accounts.kind AS holder_kind, accounts.id AS holder_id
    FROM projects JOIN accounts ON accounts.uid = projects.holder_uid
    WHERE projects.holder_uid = $1 AND projects.uid < $2
    ORDER BY projects.uid DESC LIMIT $3";

const UIDS: &str = "SELECT uid FROM projects WHERE holder_uid = $1";

const UPDATE: &str = "
    UPDATE projects SET display_name = $1, update_time = $2, revision = $3
    WHERE uid = $4 AND revision = $5";

const DELETE: &str = "DELETE FROM projects WHERE uid = $1";

fn read(row: &Row) -> Stored<Project> {
    Ok(Project {
        uid: get(row, "uid")?,
        id: get(row, "id")?,
        holder: owner(row, "holder_kind", "holder_uid")?,
        holder_id: get(row, "holder_id")?,
        display_name: get(row, "display_name")?,
        create_time: time(row, "create_time")?,
        update_time: time(row, "update_time")?,
        revision: unsigned(row, "revision")?,
    })
}

async fn insert(session: &Session, project: &Project) -> Stored<()> {
    let values: Values<'_> = &[
        &project.uid,
        &project.id,
        &project.holder.uid,
        &project.display_name,
        &millis(project.create_time),
        &millis(project.update_time),
        &signed(project.revision),
    ];
    execute_one(session, INSERT, values).await
}

async fn update(session: &Session, project: &Project, revision: u64) -> Stored<()> {
    let values: Values<'_> = &[
        &project.display_name,
        &millis(project.update_time),
        &signed(project.revision),
        &project.uid,
        &signed(revision),
    ];
    execute_one(session, UPDATE, values).await
}

pub(super) async fn uids_of(session: &Session, holder: Owner) -> Stored<Vec<Uuid>> {
    query_all(session, UIDS, &[&holder.uid], |row| get(row, "uid")).await
}

/// Deletes a project with its keys and access keys, and destroys its data key.
pub(super) async fn delete(session: &Session, uid: Uuid, now: Timestamp) -> Stored<()> {
    let owner = Owner::project(uid);
    provider_keys::delete_all(session, owner).await?;
    replays::delete_all(session, owner).await?;
    seals::destroy(session, owner, now).await?;
    access_keys::delete_all(session, owner).await?;
    execute_one(session, DELETE, &[&uid]).await
}

#[async_trait]
impl ProjectStore for PostgresStore {
    async fn project_insert(&self, project: Project, effects: Effects) -> Stored<u64> {
        self.mutate(effects, move |session| {
            Box::pin(async move { insert(session, &project).await })
        })
        .await
    }

    async fn project_find(&self, holder: Owner, id: &str) -> Stored<Option<Project>> {
        let session = self.session().await?;
        query_one(&session, FIND, &[&holder.uid, &id], read).await
    }

    async fn project_get(&self, uid: Uuid) -> Stored<Option<Project>> {
        let session = self.session().await?;
        query_one(&session, GET, &[&uid], read).await
    }

    async fn project_list(&self, holder: Owner, page: Page) -> Stored<Vec<Project>> {
        let session = self.session().await?;
        let values: Values<'_> = &[&holder.uid, &page.below(), &page.limit()];
        query_all(&session, LIST, values, read).await
    }

    async fn project_update(
        &self,
        project: Project,
        revision: u64,
        effects: Effects,
    ) -> Stored<u64> {
        self.mutate(effects, move |session| {
            Box::pin(async move { update(session, &project, revision).await })
        })
        .await
    }

    async fn project_delete(&self, uid: Uuid, now: Timestamp, effects: Effects) -> Stored<u64> {
        self.mutate(effects, move |session| Box::pin(delete(session, uid, now)))
            .await
    }
}
