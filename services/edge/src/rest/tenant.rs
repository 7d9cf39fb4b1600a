//! What users and organisations have in common.

use prost_types::{FieldMask, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::values::{Change, mask, null_or, present, time_text};
use crate::failure::Failure;

/// What makes a user or an organisation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenant {
    pub(crate) id: String,
    #[serde(default, deserialize_with = "null_or")]
    pub(crate) tier: String,
    #[serde(default, deserialize_with = "null_or")]
    pub(crate) display_name: String,
}

/// What can be changed about one. `"display_name": null` takes the name away.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantChange {
    pub(crate) tier: Option<String>,
    #[serde(default)]
    pub(crate) display_name: Change<String>,
}

impl TenantChange {
    pub(crate) fn mask(&self) -> Result<FieldMask, Failure> {
        mask(&[
            ("tier", self.tier.is_some()),
            ("display_name", self.display_name.is_given()),
        ])
    }
}

/// The JSON form of one.
pub(crate) fn tenant_json(
    id: &str,
    tier: &str,
    display_name: String,
    created: Option<&Timestamp>,
    updated: Option<&Timestamp>,
) -> Value {
    json!({
        "id": id,
        "tier": tier,
        "display_name": present(display_name),
        "created_at": time_text(created),
        "updated_at": time_text(updated),
    })
}
