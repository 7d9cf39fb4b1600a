//! Projects.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, named_params};
use uuid::Uuid;

use super::row::{get, millis, owner, signed, time, unsigned};
use super::{
    SqliteStore, access_keys, execute_one, provider_keys, query_all, query_one, replays, seals,
};
use crate::domain::identity::Project;
use crate::domain::owner::Owner;
use crate::store::{Effects, Page, ProjectStore, Stored};

const INSERT: &str = "
    INSERT INTO projects (uid, id, holder_uid, display_name, create_time, update_time, revision)
    VALUES (:uid, :id, :holder_uid, :display_name, :create_time, :update_time, :revision)";

const FIND: &str = "
    SELECT projects.*, accounts.kind AS holder_kind, accounts.id AS holder_id
    FROM projects JOIN accounts ON accounts.uid = projects.holder_uid
    WHERE projects.holder_uid = :holder_uid AND projects.id = :id";

const GET: &str = "
    SELECT projects.*, accounts.kind AS holder_kind, accounts.id AS holder_id
    FROM projects JOIN accounts ON accounts.uid = projects.holder_uid
    WHERE projects.uid = :uid";

const LIST: &str = "
    SELECT projects.*, accounts.kind AS holder_kind, accounts.id AS holder_id
    FROM projects JOIN accounts ON accounts.uid = projects.holder_uid
    WHERE projects.holder_uid = :holder_uid AND projects.uid < :below
    ORDER BY projects.uid DESC LIMIT :limit";

const UIDS: &str = "SELECT uid FROM projects WHERE holder_uid = :holder_uid";

const UPDATE: &str = "
    UPDATE projects SET display_name = :display_name, update_time = :update_time, revision = :next
    WHERE uid = :uid AND revision = :revision";

const DELETE: &str = "DELETE FROM projects WHERE uid = :uid";

fn read(row: &Row<'_>) -> Stored<Project> {
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

pub(super) fn uids_of(connection: &Connection, holder: Owner) -> Stored<Vec<Uuid>> {
    let params = named_params! { ":holder_uid": holder.uid };
    query_all(connection, UIDS, params, |row| get(row, "uid"))
}

/// Deletes a project with its keys and access keys, and destroys its data key.
pub(super) fn delete(connection: &Connection, uid: Uuid, now: Timestamp) -> Stored<()> {
    let owner = Owner::project(uid);
    provider_keys::delete_all(connection, owner)?;
    replays::delete_all(connection, owner)?;
    seals::destroy(connection, owner, now)?;
    access_keys::delete_all(connection, owner)?;
    execute_one(connection, DELETE, named_params! { ":uid": uid })
}

#[async_trait]
impl ProjectStore for SqliteStore {
    async fn project_insert(&self, project: Project, effects: Effects) -> Stored<u64> {
        let insert = move |connection: &Connection| {
            let params = named_params! {
                ":uid": project.uid,
                ":id": project.id,
                ":holder_uid": project.holder.uid,
                ":display_name": project.display_name,
                ":create_time": millis(project.create_time),
                ":update_time": millis(project.update_time),
                ":revision": signed(project.revision),
            };
            execute_one(connection, INSERT, params)
        };
        self.mutate(effects, insert).await
    }

    async fn project_find(&self, holder: Owner, id: &str) -> Stored<Option<Project>> {
        let id = id.to_owned();
        self.read(move |connection| {
            let params = named_params! { ":holder_uid": holder.uid, ":id": id };
            query_one(connection, FIND, params, read)
        })
        .await
    }

    async fn project_get(&self, uid: Uuid) -> Stored<Option<Project>> {
        self.read(move |connection| query_one(connection, GET, named_params! { ":uid": uid }, read))
            .await
    }

    async fn project_list(&self, holder: Owner, page: Page) -> Stored<Vec<Project>> {
        self.read(move |connection| {
            let params = named_params! {
                ":holder_uid": holder.uid, ":below": page.below(), ":limit": page.limit(),
            };
            query_all(connection, LIST, params, read)
        })
        .await
    }

    async fn project_update(
        &self,
        project: Project,
        revision: u64,
        effects: Effects,
    ) -> Stored<u64> {
        let update = move |connection: &Connection| {
            let params = named_params! {
                ":display_name": project.display_name,
                ":update_time": millis(project.update_time),
                ":next": signed(project.revision),
                ":uid": project.uid,
                ":revision": signed(revision),
            };
            execute_one(connection, UPDATE, params)
        };
        self.mutate(effects, update).await
    }

    async fn project_delete(&self, uid: Uuid, now: Timestamp, effects: Effects) -> Stored<u64> {
        let delete = move |connection: &Connection| delete(connection, uid, now);
        let deleted = self.mutate(effects, delete).await;
        self.traces.left();
        deleted
    }
}
