//! What users and organisations have in common.

use keyward_proto::metering::v1::GetTierRequest;
use keyward_runtime::error::Reason;
use prost_types::{FieldMask, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::values::{Change, Time, mask, present};
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

/// A new user or organization.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTenant {
    /// Its id.
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{0,62}$", examples("acme"))]
    pub(crate) id: String,
    /// Its tier: `trial` where none is given.
    #[schema(examples("professional"))]
    pub(crate) tier: Option<String>,
    /// Its name for people.
    pub(crate) display_name: Option<String>,
}

/// What changes about a user or an organization.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1)]
pub(crate) struct TenantChange {
    /// Its tier.
    #[schema(examples("professional"))]
    pub(crate) tier: Option<String>,
    /// Its name for people; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
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

/// A user or an organization.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenant)]
pub(crate) struct TenantView {
    /// Its id.
    #[schema(examples("acme"))]
    id: String,
    /// Its tier, which says the markup on what it pays in credits.
    #[schema(examples("professional"))]
    tier: String,
    /// Its name for people.
    #[schema(required)]
    display_name: Option<String>,
    /// When it was made.
    #[schema(required)]
    created_at: Option<Time>,
    /// When it was last changed.
    #[schema(required)]
    updated_at: Option<Time>,
}

impl TenantView {
    pub(crate) fn new(
        id: String,
        tier: String,
        display_name: String,
        created: Option<&Timestamp>,
        updated: Option<&Timestamp>,
    ) -> Self {
        Self {
            id,
            tier,
            display_name: present(display_name),
            created_at: Time::from_proto(created),
            updated_at: Time::from_proto(updated),
        }
    }
}

/// Refuses a tier that does not exist: who had it would silently be charged as `trial`. The vault,
/// which stores it, calls nobody and cannot ask.
pub(crate) async fn check_tier(
    services: &Services,
    call: &Call,
    tier: Option<&str>,
) -> Result<(), Failure> {
    let Some(tier) = tier.filter(|tier| !tier.is_empty()) else {
        return Ok(());
    };
    let request = call.request(GetTierRequest {
        tier: tier.to_owned(),
    });
    let Err(status) = services.pricing().get_tier(request).await else {
        return Ok(());
    };
    let failure = Failure::from(status);
    match failure.reason() {
        Reason::NotFound | Reason::InvalidRequest => Err(Failure::invalid(
            "tier",
            "there is no such tier; `GET /api/v1/tiers` lists them",
        )),
        _ => Err(failure),
    }
}
