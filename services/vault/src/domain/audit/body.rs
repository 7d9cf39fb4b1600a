//! What of an event is hashed: JSON with its members in a fixed order, so that the same event always
//! has the same bytes. A line of an export or of the file beside the store holds it as it was hashed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::chain::{Hash, Head, LinkedEvent};
use super::{Actor, AuditEvent};

/// How times are written: UTC in whole milliseconds, as the store keeps them.
const TIME_FORM: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

/// Why a line is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the line is no audit event")]
pub struct BodyError;

/// The members of a body; their order here is that of the text, and never changes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    id: Uuid,
    time: String,
    action: String,
    outcome: String,
    reason: String,
    peer: String,
    access_key_id: String,
    user: String,
    user_uid: Option<Uuid>,
    organization: String,
    organization_uid: Option<Uuid>,
    resource_id: String,
    resource_version: u64,
    record_sha256: String,
    purpose: String,
    inference_id: String,
    lease_id: String,
    trace_id: String,
}

impl Body {
    fn of(event: &AuditEvent) -> Self {
        let AuditEvent { actor, .. } = event;
        Self {
            id: event.id,
            time: event.time.strftime(TIME_FORM).to_string(),
            action: event.action.clone(),
            outcome: event.outcome.clone(),
            reason: event.reason.clone(),
            peer: actor.peer.clone(),
            access_key_id: actor.access_key_id.clone(),
            user: actor.user.clone(),
            user_uid: actor.user_uid,
            organization: actor.organization.clone(),
            organization_uid: actor.organization_uid,
            resource_id: event.resource_id.clone(),
            resource_version: event.resource_version,
            record_sha256: event.record_sha256.clone(),
            purpose: event.purpose.clone(),
            inference_id: event.inference_id.clone(),
            lease_id: event.lease_id.clone(),
            trace_id: actor.trace_id.clone(),
        }
    }

    fn into_event(self) -> Result<AuditEvent, BodyError> {
        let time: Timestamp = self.time.parse().map_err(|_| BodyError)?;
        Ok(AuditEvent {
            id: self.id,
            time,
            action: self.action,
            outcome: self.outcome,
            reason: self.reason,
            actor: Actor {
                peer: self.peer,
                access_key_id: self.access_key_id,
                user: self.user,
                user_uid: self.user_uid,
                organization: self.organization,
                organization_uid: self.organization_uid,
                trace_id: self.trace_id,
            },
            resource_id: self.resource_id,
            resource_version: self.resource_version,
            record_sha256: self.record_sha256,
            purpose: self.purpose,
            inference_id: self.inference_id,
            lease_id: self.lease_id,
        })
    }
}

/// The bytes of an event that its hash covers.
pub fn body(event: &AuditEvent) -> String {
    // Texts, numbers and UUIDs always have a form in JSON.
    serde_json::to_string(&Body::of(event)).unwrap_or_default()
}

/// A linked event with the bytes of its body as they were found.
#[derive(Debug)]
pub struct Line {
    /// Whose chain it is in.
    pub instance: String,
    /// Its place there.
    pub head: Head,
    /// Its body, to the byte.
    pub body: String,
}

impl Line {
    /// What the body says.
    ///
    /// # Errors
    /// [`BodyError`] if it is no event.
    pub fn linked(&self) -> Result<LinkedEvent, BodyError> {
        let body: Body = serde_json::from_str(&self.body).map_err(|_| BodyError)?;
        Ok(LinkedEvent {
            head: self.head,
            event: body.into_event()?,
        })
    }
}

#[derive(Serialize)]
struct Written<'a> {
    instance: &'a str,
    sequence: u64,
    hash: String,
    event: Body,
}

#[derive(Deserialize)]
struct Found<'a> {
    instance: String,
    sequence: u64,
    hash: String,
    #[serde(borrow)]
    event: &'a RawValue,
}

/// A linked event as one line of JSON, with its end.
pub fn to_line(instance: &str, linked: &LinkedEvent) -> String {
    let written = Written {
        instance,
        sequence: linked.head.sequence,
        hash: linked.head.hash.to_string(),
        event: Body::of(&linked.event),
    };
    let mut line = serde_json::to_string(&written).unwrap_or_default();
    line.push('\n');
    line
}

/// Reads a line back.
///
/// # Errors
/// [`BodyError`] if it is none.
pub fn from_line(line: &str) -> Result<Line, BodyError> {
    let found: Found<'_> = serde_json::from_str(line).map_err(|_| BodyError)?;
    let hash = Hash::from_hex(&found.hash).ok_or(BodyError)?;
    Ok(Line {
        instance: found.instance,
        head: Head {
            sequence: found.sequence,
            hash,
        },
        body: found.event.get().to_owned(),
    })
}
