//! `/api/v1/notices`: what an account should know of, for a page.

use std::collections::BTreeMap;

use axum::extract::State;
use keyward_proto::metering::v1::{ListNoticesRequest, Notice};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::parameters::{AccountPage, Query};
use super::reply::{Outcome, Resource, page};
use super::values::Time;
use super::words::NoticeKind;
use crate::caller::Call;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default().routes(routes!(list))
}

/// Something that an account should know of: once for each rule and period.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notice)]
pub(crate) struct NoticeView {
    /// Its id: the same wherever and however often it is sent.
    id: String,
    /// What it is about.
    #[serde(rename = "type")]
    kind: NoticeKind,
    /// When it happened.
    #[schema(required)]
    timestamp: Option<Time>,
    /// Whom it concerns.
    #[schema(examples("users/bob"))]
    account: String,
    /// What of theirs it is about: a budget, a provider key, a request.
    #[schema(examples("balance"))]
    subject: String,
    /// For people.
    message: String,
    /// The same for programs.
    data: BTreeMap<String, String>,
}

page!(
    /// A page of notices.
    NoticeList { notices: NoticeView }
);

impl Resource for Notice {
    type View = NoticeView;

    fn into_view(self) -> NoticeView {
        NoticeView {
            id: self.notice_id,
            kind: NoticeKind::of(self.kind),
            timestamp: Time::from_proto(self.create_time.as_ref()),
            account: self.account,
            subject: self.subject,
            message: self.message,
            data: self.data.into_iter().collect(),
        }
    }
}

/// List notices
///
/// Those of the account acted for, or of the one that is named. Webhooks are sent the same.
#[utoipa::path(
    get, path = "/api/v1/notices", operation_id = "listNotices", tag = "Notices", params(AccountPage),
    responses((status = 200, description = "A page, newest first.", body = NoticeList)),
)]
async fn list(
    State(services): State<Services>,
    call: Call,
    Query(page): Query<AccountPage>,
) -> Outcome {
    let request = call.request(ListNoticesRequest {
        account: page.account()?,
        page_size: page.page_size.0,
        page_token: page.page_token,
    });
    let answer = services.notices().list_notices(request).await?;
    let answer = answer.into_inner();
    NoticeList::reply(answer.notices, answer.next_page_token)
}
