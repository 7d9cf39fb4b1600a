//! Who might have served a request, as its receipt shows it.

use keyward_proto::metering::v1::UsageCandidate;
use serde::Serialize;
use utoipa::ToSchema;

use crate::rest::values::present;
use crate::rest::words;

/// A key at a provider that might have served.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReceiptCandidate)]
pub(super) struct CandidateView {
    /// The provider.
    provider: String,
    /// The name of the model there.
    model: String,
    /// Whose key, as in the header `x-keyward-key-source`.
    #[schema(required, examples("user:openrouter"))]
    key_source: Option<String>,
    /// The key; `null` where there is none to show.
    #[schema(required)]
    key_id: Option<String>,
    /// Whether it might serve.
    eligible: bool,
    /// Why it stood where it stood, or why it was left out.
    reason: String,
}

impl From<UsageCandidate> for CandidateView {
    fn from(candidate: UsageCandidate) -> Self {
        Self {
            key_source: words::key_source(candidate.key_source, &candidate.provider),
            provider: candidate.provider,
            model: candidate.upstream_model,
            key_id: present(candidate.provider_key_id),
            eligible: candidate.eligible,
            reason: candidate.reason,
        }
    }
}
