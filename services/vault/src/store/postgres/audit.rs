//! Audit events.

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::row::{get, millis, signed, time, unsigned};
use super::{PostgresStore, Values, execute, query_all, query_one};
use crate::domain::audit::{Action, Actor, AuditEvent, Outcome};
use crate::store::{AuditScope, AuditStore, Page, Stored};

const INSERT: &str = r#"
    INSERT INTO audit_events (uid, time, action, outcome, reason, peer, access_key_id, "user",
        user_uid, organization, organization_uid, resource_id, resource_version, purpose,
        inference_id, lease_id, trace_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"#;

const LIST: &str = "
    SELECT * FROM audit_events
    WHERE uid < $1
        AND ($2::uuid IS NULL OR user_uid = $2)
        AND ($3::uuid IS NULL OR organization_uid = $3)
        AND ($4::text IS NULL OR resource_id = $4)
    ORDER BY uid DESC LIMIT $5";

const SERVED_SINCE: &str = "
    SELECT 1 FROM audit_events
    WHERE resource_id = $1 AND time >= $2 AND action = $3 AND outcome = $4
        AND purpose = 'serve' AND ($5::text IS NULL OR access_key_id = $5)
    LIMIT 1";

pub(super) async fn insert(session: &Session, event: &AuditEvent) -> Stored<()> {
    let values: Values<'_> = &[
        &event.id,
        &millis(event.time),
        &event.action,
        &event.outcome,
        &event.reason,
        &event.actor.peer,
        &event.actor.access_key_id,
        &event.actor.user,
        &event.actor.user_uid,
        &event.actor.organization,
        &event.actor.organization_uid,
        &event.resource_id,
        &signed(event.resource_version),
        &event.purpose,
        &event.inference_id,
        &event.lease_id,
        &event.actor.trace_id,
    ];
    execute(session, INSERT, values).await.map(drop)
}

fn read(row: &Row) -> Stored<AuditEvent> {
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
impl AuditStore for PostgresStore {
    async fn audit_insert(&self, event: AuditEvent) -> Stored<()> {
        insert(&self.session().await?, &event).await
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
        let session = self.session().await?;
        let (below, limit) = (page.below(), page.limit());
        let values: Values<'_> = &[&below, &user, &organization, &resource, &limit];
        query_all(&session, LIST, values, read).await
    }

    async fn audit_served_since(
        &self,
        key: Uuid,
        access_key_id: Option<&str>,
        since: Timestamp,
    ) -> Stored<bool> {
        let session = self.session().await?;
        let values: Values<'_> = &[
            &key.to_string(),
            &millis(since),
            &Action::ProviderKeyUnseal.name(),
            &Outcome::Ok.name(),
            &access_key_id,
        ];
        let found = query_one(&session, SERVED_SINCE, values, |_| Ok(())).await?;
        Ok(found.is_some())
    }
}
