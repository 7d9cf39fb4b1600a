//! Audit events.

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, named_params};
use uuid::Uuid;

use super::row::{get, millis, signed, time, unsigned};
use super::{SqliteStore, execute, query_all, query_one};
use crate::domain::audit::{Action, Actor, AuditEvent, Outcome};
use crate::store::{AuditScope, AuditStore, Effects, Page, Stored};

const INSERT: &str = "
    INSERT INTO audit_events (uid, time, action, outcome, reason, peer, access_key_id, user, user_uid,
        organization, organization_uid, resource_id, resource_version, purpose, inference_id,
        lease_id, trace_id)
    VALUES (:uid, :time, :action, :outcome, :reason, :peer, :access_key_id, :user, :user_uid,
        :organization, :organization_uid, :resource_id, :resource_version, :purpose, :inference_id,
        :lease_id, :trace_id)";

const LIST: &str = "
    SELECT * FROM audit_events
    WHERE uid < :below
        AND (:user_uid IS NULL OR user_uid = :user_uid)
        AND (:organization_uid IS NULL OR organization_uid = :organization_uid)
        AND (:resource IS NULL OR resource_id = :resource)
    ORDER BY uid DESC LIMIT :limit";

const SERVED_SINCE: &str = "
    SELECT 1 FROM audit_events
    WHERE resource_id = :resource AND time >= :since AND action = :action AND outcome = :outcome
        AND purpose = 'serve'
        AND (:access_key_id IS NULL OR access_key_id = :access_key_id)
    LIMIT 1";

pub(super) fn insert(connection: &Connection, event: &AuditEvent) -> Stored<()> {
    execute(
        connection,
        INSERT,
        named_params! {
            ":uid": event.id,
            ":time": millis(event.time),
            ":action": event.action,
            ":outcome": event.outcome,
            ":reason": event.reason,
            ":peer": event.actor.peer,
            ":access_key_id": event.actor.access_key_id,
            ":user": event.actor.user,
            ":user_uid": event.actor.user_uid,
            ":organization": event.actor.organization,
            ":organization_uid": event.actor.organization_uid,
            ":resource_id": event.resource_id,
            ":resource_version": signed(event.resource_version),
            ":purpose": event.purpose,
            ":inference_id": event.inference_id,
            ":lease_id": event.lease_id,
            ":trace_id": event.actor.trace_id,
        },
    )
    .map(drop)
}

fn read(row: &Row<'_>) -> Stored<AuditEvent> {
    Ok(AuditEvent {
        id: get(row, "uid")?,
        time: time(row, "time")?,
        action: get(row, "action")?,
        outcome: get(row, "outcome")?,
        reason: get(row, "reason")?,
        actor: Actor {
            peer: get(row, "peer")?,
            access_key_id: get(row, "access_key_id")?,
            user: get(row, "user")?,
            user_uid: get(row, "user_uid")?,
            organization: get(row, "organization")?,
            organization_uid: get(row, "organization_uid")?,
            trace_id: get(row, "trace_id")?,
        },
        resource_id: get(row, "resource_id")?,
        resource_version: unsigned(row, "resource_version")?,
        purpose: get(row, "purpose")?,
        inference_id: get(row, "inference_id")?,
        lease_id: get(row, "lease_id")?,
    })
}

#[async_trait]
impl AuditStore for SqliteStore {
    async fn audit_insert(&self, event: AuditEvent) -> Stored<()> {
        self.mutate(Effects::audit(event), |_| Ok(()))
            .await
            .map(drop)
    }

    async fn audit_list(
        &self,
        scope: AuditScope,
        resource: Option<&str>,
        page: Page,
    ) -> Stored<Vec<AuditEvent>> {
        let (user, organization) = match scope {
            AuditScope::All => (None, None),
            AuditScope::User(uid) => (Some(uid), None),
            AuditScope::Organization(uid) => (None, Some(uid)),
        };
        let resource = resource.map(str::to_owned);
        self.read(move |connection| {
            let params = named_params! {
                ":below": page.below(),
                ":user_uid": user,
                ":organization_uid": organization,
                ":resource": resource,
                ":limit": page.limit(),
            };
            query_all(connection, LIST, params, read)
        })
        .await
    }

    async fn audit_served_since(
        &self,
        key: Uuid,
        access_key_id: Option<&str>,
        since: Timestamp,
    ) -> Stored<bool> {
        let access_key_id = access_key_id.map(str::to_owned);
        self.read(move |connection| {
            let params = named_params! {
                ":resource": key.to_string(),
                ":since": millis(since),
                ":action": Action::ProviderKeyUnseal.name(),
                ":outcome": Outcome::Ok.name(),
                ":access_key_id": access_key_id,
            };
            query_one(connection, SERVED_SINCE, params, |_| Ok(())).map(|found| found.is_some())
        })
        .await
    }
}
