//! `/api/v1/usage/keys`: how each provider key fared, and when it was last used.

use axum::extract::State;
use keyward_proto::metering::v1::{KeyStatistics, ListKeyStatisticsRequest};
use serde::Serialize;
use utoipa::ToSchema;

use super::query::KeysQuery;
use super::sums::Figures;
use crate::caller::Call;
use crate::rest::parameters::Query;
use crate::rest::reply::{Outcome, Reply};
use crate::rest::values::{Time, present};
use crate::rest::words;
use crate::services::Services;

/// Provider keys and what they were used for.
#[derive(Debug, Serialize, ToSchema)]
struct KeyUsageList {
    /// The page.
    keys: Vec<KeyUsage>,
    /// Where the period begins.
    #[schema(required)]
    from: Option<Time>,
    /// Where it ends.
    #[schema(required)]
    to: Option<Time>,
    /// Where the next page starts, for `page_token`; empty on the last.
    next_page_token: String,
}

/// How a provider key fared.
#[derive(Debug, Serialize, ToSchema)]
struct KeyUsage {
    /// The key; `null` for all that came with their requests.
    #[schema(required)]
    key: Option<String>,
    /// The provider.
    provider: String,
    /// Whose key: `inline`, `user`, `project`, `organization` or `system`.
    #[schema(required)]
    source: Option<String>,
    #[serde(flatten)]
    figures: Figures,
    /// When it was last used in the period.
    #[schema(required)]
    last_used_at: Option<Time>,
}

impl From<KeyStatistics> for KeyUsage {
    fn from(statistics: KeyStatistics) -> Self {
        let mut sum = statistics.sum.unwrap_or_default();
        Self {
            key: present(std::mem::take(&mut sum.provider_key_id)),
            provider: std::mem::take(&mut sum.provider),
            source: words::key_source_word(sum.key_source).map(str::to_owned),
            figures: sum.into(),
            last_used_at: Time::from_proto(statistics.last_used_time.as_ref()),
        }
    }
}

/// List provider keys by what they were used for
///
/// Of the account acted for, or of the one that is named; this calendar month in UTC where no time is
/// given. A user's own key that served in an organization is among that one's.
#[utoipa::path(
    get, path = "/api/v1/usage/keys", operation_id = "listKeyUsage", tag = "Usage",
    params(KeysQuery),
    responses((status = 200, description = "Those of the highest list cost first.", body = KeyUsageList)),
)]
pub(super) async fn keys(
    State(services): State<Services>,
    call: Call,
    Query(query): Query<KeysQuery>,
) -> Outcome {
    let (page_size, page_token) = (query.page_size.0, query.page_token.clone());
    let (account, filter) = query.scope()?;
    let request = call.request(ListKeyStatisticsRequest {
        account,
        filter: Some(filter),
        page_size,
        page_token,
    });
    let answer = services.usage().list_key_statistics(request).await?;
    let answer = answer.into_inner();
    Reply::ok(&KeyUsageList {
        keys: answer.keys.into_iter().map(KeyUsage::from).collect(),
        from: Time::from_proto(answer.start_time.as_ref()),
        to: Time::from_proto(answer.end_time.as_ref()),
        next_page_token: answer.next_page_token,
    })
}
