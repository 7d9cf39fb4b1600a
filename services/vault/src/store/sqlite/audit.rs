//! Audit events.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, Row, named_params};
use uuid::Uuid;

use super::row::{get, millis, millis_opt, signed, time, unsigned};
use super::{SqliteStore, execute, execute_one, provider_keys, query_all, query_one};
use crate::domain::audit::chain::{Hash, Head, LinkedEvent};
use crate::domain::audit::{Action, Actor, AuditEvent, Outcome};
use crate::store::{
    AuditFilter, AuditScope, AuditStore, Batch, Chain, Effects, Linked, Page, StoreError, Stored,
};

/// Without a place. `arrival` orders those that have none; where none is left it begins anew.
const INSERT: &str = "
    INSERT INTO audit_events (uid, time, action, outcome, reason, peer, access_key_id, user, user_uid,
        organization, organization_uid, resource_id, resource_version, record_sha256, purpose,
        inference_id, lease_id, trace_id, arrival)
    VALUES (:uid, :time, :action, :outcome, :reason, :peer, :access_key_id, :user, :user_uid,
        :organization, :organization_uid, :resource_id, :resource_version, :record_sha256, :purpose,
        :inference_id, :lease_id, :trace_id,
        coalesce((SELECT max(arrival) FROM audit_events WHERE sequence IS NULL), 0) + 1)";

/// At its place, also where it is there without one.
const LINK: &str = "
    INSERT INTO audit_events (uid, time, action, outcome, reason, peer, access_key_id, user, user_uid,
        organization, organization_uid, resource_id, resource_version, record_sha256, purpose,
        inference_id, lease_id, trace_id, instance, sequence, hash)
    VALUES (:uid, :time, :action, :outcome, :reason, :peer, :access_key_id, :user, :user_uid,
        :organization, :organization_uid, :resource_id, :resource_version, :record_sha256, :purpose,
        :inference_id, :lease_id, :trace_id, :instance, :sequence, :hash)
    ON CONFLICT (uid) DO UPDATE SET
        instance = excluded.instance, sequence = excluded.sequence, hash = excluded.hash
    WHERE audit_events.sequence IS NULL";

const UNLINKED: &str =
    "SELECT * FROM audit_events WHERE sequence IS NULL ORDER BY arrival, uid LIMIT :limit";

const UNLINKED_COUNT: &str =
    "SELECT count(*) AS events FROM audit_events WHERE sequence IS NULL AND time < :before";

const CHAIN: &str = "
    SELECT * FROM audit_events
    WHERE instance = :instance AND sequence > :sequence AND sequence IS NOT NULL
    ORDER BY sequence LIMIT :limit";

const LINKED_ABOUT: &str = "
    SELECT * FROM audit_events
    WHERE resource_id = :resource AND action = :action AND sequence IS NOT NULL
    ORDER BY uid DESC LIMIT :limit";

const CHAIN_BEGIN: &str = "
    INSERT INTO audit_chains (instance, sequence, hash, public_key)
    VALUES (:instance, :sequence, :hash, :public_key)
    ON CONFLICT (instance) DO NOTHING";

const CHAIN_MOVE: &str = "
    UPDATE audit_chains SET sequence = :sequence, hash = :hash
    WHERE instance = :instance AND sequence <= :sequence";

const CHAINS: &str = "SELECT * FROM audit_chains ORDER BY instance";

/// A list that begins with a condition which has an index.
macro_rules! list {
    ($first:literal) => {
        concat!(
            "SELECT * FROM audit_events WHERE ",
            $first,
            " AND uid < :below
                AND (:user_uid IS NULL OR user_uid = :user_uid)
                AND (:organization_uid IS NULL OR organization_uid = :organization_uid)
                AND (:user IS NULL OR user = :user)
                AND (:organization IS NULL OR organization = :organization)
                AND (:access_key_id IS NULL OR access_key_id = :access_key_id)
                AND (:action IS NULL OR action = :action)
                AND (:outcome IS NULL OR outcome = :outcome)
                AND (:resource_id IS NULL OR resource_id = :resource_id)
                AND (:trace_id IS NULL OR trace_id = :trace_id)
                AND (:inference_id IS NULL OR inference_id = :inference_id)
                AND (:since IS NULL OR time >= :since)
                AND (:until IS NULL OR time < :until)
            ORDER BY uid DESC LIMIT :limit"
        )
    };
}

const LIST: &str = list!("true");
const LIST_BY_RESOURCE: &str = list!("resource_id = :resource_id");
const LIST_BY_INFERENCE: &str = list!("inference_id = :inference_id AND inference_id <> ''");
const LIST_BY_TRACE: &str = list!("trace_id = :trace_id AND trace_id <> ''");

const SERVED_SINCE: &str = "
    SELECT 1 FROM audit_events
    WHERE resource_id = :resource AND time >= :since AND action = :action AND outcome = :outcome
        AND purpose = 'serve'
        AND (:access_key_id IS NULL OR access_key_id = :access_key_id)
    LIMIT 1";

/// The parameters of an event's own columns, and more.
macro_rules! event_params {
    ($event:expr $(, $name:literal: $value:expr)* $(,)?) => {
        named_params! {
            ":uid": $event.id,
            ":time": millis($event.time),
            ":action": $event.action,
            ":outcome": $event.outcome,
            ":reason": $event.reason,
            ":peer": $event.actor.peer,
            ":access_key_id": $event.actor.access_key_id,
            ":user": $event.actor.user,
            ":user_uid": $event.actor.user_uid,
            ":organization": $event.actor.organization,
            ":organization_uid": $event.actor.organization_uid,
            ":resource_id": $event.resource_id,
            ":resource_version": signed($event.resource_version),
            ":record_sha256": $event.record_sha256,
            ":purpose": $event.purpose,
            ":inference_id": $event.inference_id,
            ":lease_id": $event.lease_id,
            ":trace_id": $event.actor.trace_id,
            $($name: $value,)*
        }
    };
}

pub(super) fn insert(connection: &Connection, event: &AuditEvent) -> Stored<()> {
    execute(connection, INSERT, event_params!(event)).map(drop)
}

/// Writes an event at its place; false if it has one already.
fn put(connection: &Connection, instance: &str, linked: &LinkedEvent) -> Stored<bool> {
    let LinkedEvent { head, event } = linked;
    let params = event_params!(
        event,
        ":instance": instance,
        ":sequence": signed(head.sequence),
        ":hash": head.hash.0,
    );
    Ok(execute(connection, LINK, params)? == 1)
}

fn link(connection: &Connection, batch: &Batch) -> Stored<()> {
    for linked in &batch.backlog {
        put(connection, &batch.instance, linked)?;
    }
    let mut head = batch.head;
    let (mut events, mut granted) = (Vec::new(), Vec::new());
    for wanted in &batch.wanted {
        let holds = match &wanted.lease {
            Some(lease) => provider_keys::lease(connection, lease)?,
            None => true,
        };
        let linked = LinkedEvent::after(head, wanted.event.clone());
        let got = holds && put(connection, &batch.instance, &linked)?;
        granted.push(got);
        if got {
            head = linked.head;
            events.push(linked);
        }
    }
    let params = named_params! {
        ":instance": batch.instance,
        ":sequence": signed(head.sequence),
        ":hash": head.hash.0,
    };
    execute_one(connection, CHAIN_MOVE, params)?;
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

fn read_linked(row: &Row<'_>) -> Stored<LinkedEvent> {
    Ok(LinkedEvent {
        head: read_head(row)?,
        event: read(row)?,
    })
}

fn read_head(row: &Row<'_>) -> Stored<Head> {
    Ok(Head {
        sequence: unsigned(row, "sequence")?,
        hash: Hash(get(row, "hash")?),
    })
}

fn read_chain(row: &Row<'_>) -> Stored<Chain> {
    Ok(Chain {
        instance: get(row, "instance")?,
        head: read_head(row)?,
        public_key: get(row, "public_key")?,
    })
}

fn list(connection: &Connection, filter: &AuditFilter, page: Page) -> Stored<Vec<AuditEvent>> {
    let (user_uid, organization_uid) = match filter.scope {
        AuditScope::All => (None, None),
        AuditScope::User(uid) => (Some(uid), None),
        AuditScope::Organization(uid) => (None, Some(uid)),
    };
    let params = named_params! {
        ":below": page.below(),
        ":user_uid": user_uid,
        ":organization_uid": organization_uid,
        ":user": filter.user,
        ":organization": filter.organization,
        ":access_key_id": filter.access_key_id,
        ":action": filter.action,
        ":outcome": filter.outcome,
        ":resource_id": filter.resource_id,
        ":trace_id": filter.trace_id,
        ":inference_id": filter.inference_id,
        ":since": millis_opt(filter.since),
        ":until": millis_opt(filter.until),
        ":limit": page.limit(),
    };
    query_all(connection, statement(filter), params, read)
}

const fn statement(filter: &AuditFilter) -> &'static str {
    if filter.inference_id.is_some() {
        LIST_BY_INFERENCE
    } else if filter.trace_id.is_some() {
        LIST_BY_TRACE
    } else if filter.resource_id.is_some() {
        LIST_BY_RESOURCE
    } else {
        LIST
    }
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
        record_sha256: get(row, "record_sha256")?,
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

    async fn audit_list(&self, filter: AuditFilter, page: Page) -> Stored<Vec<AuditEvent>> {
        self.read(move |connection| list(connection, &filter, page))
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

    async fn audit_unlinked(&self, limit: u32) -> Stored<Vec<AuditEvent>> {
        self.read(move |connection| {
            query_all(
                connection,
                UNLINKED,
                named_params! { ":limit": limit },
                read,
            )
        })
        .await
    }

    async fn audit_unlinked_count(&self, before: Timestamp) -> Stored<u64> {
        self.read(move |connection| {
            let params = named_params! { ":before": millis(before) };
            let count = query_one(connection, UNLINKED_COUNT, params, |row| {
                unsigned(row, "events")
            })?;
            Ok(count.unwrap_or_default())
        })
        .await
    }

    async fn audit_chain_begin(&self, chain: Chain) -> Stored<()> {
        let begin = move |connection: &Connection| {
            let params = named_params! {
                ":instance": chain.instance,
                ":sequence": signed(chain.head.sequence),
                ":hash": chain.head.hash.0,
                ":public_key": chain.public_key,
            };
            execute(connection, CHAIN_BEGIN, params).map(drop)
        };
        self.mutate(Effects::default(), begin).await.map(drop)
    }

    async fn audit_chains(&self) -> Stored<Vec<Chain>> {
        self.read(move |connection| query_all(connection, CHAINS, [], read_chain))
            .await
    }

    async fn audit_chain(
        &self,
        instance: &str,
        sequence: u64,
        limit: u32,
    ) -> Stored<Vec<LinkedEvent>> {
        let instance = instance.to_owned();
        self.read(move |connection| {
            let params = named_params! {
                ":instance": instance, ":sequence": signed(sequence), ":limit": limit,
            };
            query_all(connection, CHAIN, params, read_linked)
        })
        .await
    }

    async fn audit_linked_about(
        &self,
        action: Action,
        resource_id: &str,
        limit: u32,
    ) -> Stored<Vec<(String, LinkedEvent)>> {
        let resource = resource_id.to_owned();
        self.read(move |connection| {
            let params = named_params! {
                ":resource": resource, ":action": action.name(), ":limit": limit,
            };
            let read = |row: &Row<'_>| Ok((get(row, "instance")?, read_linked(row)?));
            query_all(connection, LINKED_ABOUT, params, read)
        })
        .await
    }

    async fn audit_link(&self, batch: Arc<Batch>) -> Stored<()> {
        self.database
            .write(move |connection| link(connection, &batch))
            .await
    }
}
