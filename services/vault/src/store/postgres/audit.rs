//! Audit events.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use keyward_storage::postgres::{Row, Session};
use uuid::Uuid;

use super::row::{bytes, get, millis, millis_opt, signed, time, unsigned};
use super::{PostgresStore, Values, execute, execute_one, provider_keys, query_all, query_one};
use crate::domain::audit::chain::{Hash, Head, LinkedEvent};
use crate::domain::audit::{Action, Actor, AuditEvent, Outcome};
use crate::store::{
    AuditFilter, AuditScope, AuditStore, Batch, Chain, Linked, Page, StoreError, Stored,
};

/// Without a place.
const INSERT: &str = r#"
    INSERT INTO audit_events (uid, time, action, outcome, reason, peer, access_key_id, "user",
        user_uid, organization, organization_uid, resource_id, resource_version, record_sha256,
        purpose, inference_id, lease_id, trace_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"#;

/// At its place, also where it is there without one.
const LINK: &str = r#"
    INSERT INTO audit_events (uid, time, action, outcome, reason, peer, access_key_id, "user",
        user_uid, organization, organization_uid, resource_id, resource_version, record_sha256,
        purpose, inference_id, lease_id, trace_id, instance, sequence, hash)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
        $19, $20, $21)
    ON CONFLICT (uid) DO UPDATE SET
        instance = excluded.instance, sequence = excluded.sequence, hash = excluded.hash
    WHERE audit_events.sequence IS NULL"#;

/// Without locks, so that a proof can read them too: an event that another instance links first is not
/// linked again.
const UNLINKED: &str =
    "SELECT * FROM audit_events WHERE sequence IS NULL ORDER BY arrival LIMIT $1";

const LINKED_ABOUT: &str = "
    SELECT * FROM audit_events
    WHERE resource_id = $1 AND action = $2 AND sequence IS NOT NULL
    ORDER BY uid DESC LIMIT $3";

/// Waits for a transaction that moves the chain and of which nobody knows whether it is committed.
const CHAIN_SETTLED: &str = "SELECT * FROM audit_chains WHERE instance = $1 FOR UPDATE";

const UNLINKED_COUNT: &str =
    "SELECT count(*) AS events FROM audit_events WHERE sequence IS NULL AND time < $1";

const CHAIN: &str = "
    SELECT * FROM audit_events WHERE instance = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";

const CHAIN_BEGIN: &str = "
    INSERT INTO audit_chains (instance, sequence, hash, public_key) VALUES ($1, $2, $3, $4)
    ON CONFLICT (instance) DO NOTHING";

const CHAIN_MOVE: &str = "
    UPDATE audit_chains SET sequence = $2, hash = $3 WHERE instance = $1 AND sequence <= $2";

const CHAINS: &str = "SELECT * FROM audit_chains ORDER BY instance";

const LIST: &str = r#"
    SELECT * FROM audit_events
    WHERE uid < $1
        AND ($2::uuid IS NULL OR user_uid = $2)
        AND ($3::uuid IS NULL OR organization_uid = $3)
        AND ($4::text IS NULL OR "user" = $4)
        AND ($5::text IS NULL OR organization = $5)
        AND ($6::text IS NULL OR access_key_id = $6)
        AND ($7::text IS NULL OR action = $7)
        AND ($8::text IS NULL OR outcome = $8)
        AND ($9::text IS NULL OR resource_id = $9)
        AND ($10::text IS NULL OR trace_id = $10)
        AND ($11::text IS NULL OR (inference_id = $11 AND inference_id <> ''))
        AND ($12::bigint IS NULL OR time >= $12)
        AND ($13::bigint IS NULL OR time < $13)
    ORDER BY uid DESC LIMIT $14"#;

/// How long is waited before the store is asked again what became of a commit.
const ASK_AGAIN: Duration = Duration::from_millis(100);

const SERVED_SINCE: &str = "
    SELECT 1 FROM audit_events
    WHERE resource_id = $1 AND time >= $2 AND action = $3 AND outcome = $4
        AND purpose = 'serve' AND ($5::text IS NULL OR access_key_id = $5)
    LIMIT 1";

/// An event's own columns and more, in the order of the statements.
macro_rules! event_values {
    ($event:expr $(, $more:expr)* $(,)?) => {
        &[
            &$event.id,
            &millis($event.time),
            &$event.action,
            &$event.outcome,
            &$event.reason,
            &$event.actor.peer,
            &$event.actor.access_key_id,
            &$event.actor.user,
            &$event.actor.user_uid,
            &$event.actor.organization,
            &$event.actor.organization_uid,
            &$event.resource_id,
            &signed($event.resource_version),
            &$event.record_sha256,
            &$event.purpose,
            &$event.inference_id,
            &$event.lease_id,
            &$event.actor.trace_id,
            $(&$more,)*
        ]
    };
}

pub(super) async fn insert(session: &Session, event: &AuditEvent) -> Stored<()> {
    let values: Values<'_> = event_values!(event);
    execute(session, INSERT, values).await.map(drop)
}

/// Writes an event at its place; false if it has one already.
async fn put(session: &Session, instance: &str, linked: &LinkedEvent) -> Stored<bool> {
    let LinkedEvent { head, event } = linked;
    let hash = head.hash.0.to_vec();
    let values: Values<'_> = event_values!(event, instance, signed(head.sequence), hash);
    Ok(execute(session, LINK, values).await? == 1)
}

async fn link(session: &Session, batch: &Batch) -> Stored<()> {
    for linked in &batch.backlog {
        put(session, &batch.instance, linked).await?;
    }
    let mut head = batch.head;
    let (mut events, mut granted) = (Vec::new(), Vec::new());
    for wanted in &batch.wanted {
        let holds = match &wanted.lease {
            Some(lease) => provider_keys::lease(session, lease).await?,
            None => true,
        };
        let linked = LinkedEvent::after(head, wanted.event.clone());
        let got = holds && put(session, &batch.instance, &linked).await?;
        granted.push(got);
        if got {
            head = linked.head;
            events.push(linked);
        }
    }
    let (sequence, hash) = (signed(head.sequence), head.hash.0.to_vec());
    let values: Values<'_> = &[&batch.instance, &sequence, &hash];
    execute_one(session, CHAIN_MOVE, values).await?;
    let linked = Linked {
        head,
        events,
        granted,
    };
    match batch.publish(linked) {
        true => Ok(()),
        false => Err(StoreError::Changed),
    }
}

fn read_linked(row: &Row) -> Stored<LinkedEvent> {
    Ok(LinkedEvent {
        head: read_head(row)?,
        event: read(row)?,
    })
}

fn read_head(row: &Row) -> Stored<Head> {
    Ok(Head {
        sequence: unsigned(row, "sequence")?,
        hash: Hash(bytes(row, "hash")?),
    })
}

fn read_chain(row: &Row) -> Stored<Chain> {
    Ok(Chain {
        instance: get(row, "instance")?,
        head: read_head(row)?,
        public_key: bytes(row, "public_key")?,
    })
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
        record_sha256: get(row, "record_sha256")?,
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

    async fn audit_list(&self, filter: AuditFilter, page: Page) -> Stored<Vec<AuditEvent>> {
        let (user_uid, organization_uid) = match filter.scope {
            AuditScope::All => (None, None),
            AuditScope::User(uid) => (Some(uid), None),
            AuditScope::Organization(uid) => (None, Some(uid)),
        };
        let session = self.session().await?;
        let values: Values<'_> = &[
            &page.below(),
            &user_uid,
            &organization_uid,
            &filter.user,
            &filter.organization,
            &filter.access_key_id,
            &filter.action,
            &filter.outcome,
            &filter.resource_id,
            &filter.trace_id,
            &filter.inference_id,
            &millis_opt(filter.since),
            &millis_opt(filter.until),
            &page.limit(),
        ];
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

    async fn audit_unlinked(&self, limit: u32) -> Stored<Vec<AuditEvent>> {
        let session = self.session().await?;
        query_all(&session, UNLINKED, &[&i64::from(limit)], read).await
    }

    async fn audit_unlinked_count(&self, before: Timestamp) -> Stored<u64> {
        let session = self.session().await?;
        let count = |row: &Row| unsigned(row, "events");
        let found = query_one(&session, UNLINKED_COUNT, &[&millis(before)], count).await?;
        Ok(found.unwrap_or_default())
    }

    async fn audit_chain_begin(&self, chain: Chain) -> Stored<()> {
        let session = self.session().await?;
        let (hash, public_key) = (chain.head.hash.0.to_vec(), chain.public_key.to_vec());
        let sequence = signed(chain.head.sequence);
        let values: Values<'_> = &[&chain.instance, &sequence, &hash, &public_key];
        execute(&session, CHAIN_BEGIN, values).await.map(drop)
    }

    async fn audit_chains(&self) -> Stored<Vec<Chain>> {
        query_all(&self.session().await?, CHAINS, &[], read_chain).await
    }

    async fn audit_chain(
        &self,
        instance: &str,
        sequence: u64,
        limit: u32,
    ) -> Stored<Vec<LinkedEvent>> {
        let session = self.session().await?;
        let values: Values<'_> = &[&instance, &signed(sequence), &i64::from(limit)];
        query_all(&session, CHAIN, values, read_linked).await
    }

    async fn audit_linked_about(
        &self,
        action: Action,
        resource_id: &str,
        limit: u32,
    ) -> Stored<Vec<(String, LinkedEvent)>> {
        let session = self.session().await?;
        let values: Values<'_> = &[&resource_id, &action.name(), &i64::from(limit)];
        let read = |row: &Row| Ok((get(row, "instance")?, read_linked(row)?));
        query_all(&session, LINKED_ABOUT, values, read).await
    }

    async fn audit_link(&self, batch: Arc<Batch>) -> Stored<()> {
        let work = Arc::clone(&batch);
        let written = self
            .postgres
            .write(move |session| Box::pin(async move { link(session, &work).await }))
            .await;
        let Err(error) = written else {
            return Ok(());
        };
        let Some(end) = batch.published() else {
            return Err(error);
        };
        // The connection may have broken after the commit: whoever waits learns what became of it,
        // or nothing.
        loop {
            if let Ok(head) = self.settled(&batch.instance).await {
                return if head == Some(end) {
                    Ok(())
                } else {
                    Err(error)
                };
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

impl PostgresStore {
    async fn settled(&self, instance: &str) -> Stored<Option<Head>> {
        let session = self.session().await?;
        query_one(&session, CHAIN_SETTLED, &[&instance], read_head).await
    }
}
