//! What is shown of how a provider key is kept.

use keyward_proto::vault::v1::KeyHygiene;
use serde::Serialize;
use utoipa::ToSchema;

use crate::rest::values::Time;

/// How a provider key is kept: what its owner should look at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderKeyHygiene)]
pub(super) struct HygieneView {
    /// Whole days since the secret was stored.
    #[schema(examples(12))]
    age_days: u32,
    /// Whether the secret is due for another, as it is 90 days after it was stored.
    rotation_due: bool,
    /// When it is, or was.
    #[schema(required)]
    rotation_due_at: Option<Time>,
    /// Whether the key expires within 14 days.
    expiring: bool,
    /// Since when it was not used, if it may serve and that is 30 days ago or more.
    #[schema(required)]
    unused_since: Option<Time>,
    /// Since when its provider refuses it.
    #[schema(required)]
    failing_since: Option<Time>,
}

impl From<KeyHygiene> for HygieneView {
    fn from(hygiene: KeyHygiene) -> Self {
        Self {
            age_days: hygiene.age_days,
            rotation_due: hygiene.rotation_due,
            rotation_due_at: Time::from_proto(hygiene.rotation_due_time.as_ref()),
            expiring: hygiene.expiring,
            unused_since: Time::from_proto(hygiene.unused_since_time.as_ref()),
            failing_since: Time::from_proto(hygiene.failing_since_time.as_ref()),
        }
    }
}
