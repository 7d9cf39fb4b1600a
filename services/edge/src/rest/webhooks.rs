//! `/api/v1/webhooks[/{id}]`: where an account's notices are sent. What requests are signed with is in
//! the answer to who makes one, and nowhere else.

use axum::extract::State;
use http::StatusCode;
use keyward_proto::metering::v1::{
    CreateWebhookRequest, DeleteWebhookRequest, GetWebhookRequest, ListWebhooksRequest,
    TestWebhookRequest, UpdateWebhookRequest, Webhook,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::Given;
use super::idempotency::IdempotencyKey;
use super::location::At;
use super::parameters::{AccountPage, Nothing, Query};
use super::reply::{IfMatch, Outcome, Reply, Resource, page};
use super::values::{NoticeKindName, Time, mask, present};
use super::words::NoticeKind;
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(test))
}

/// A new webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewWebhook {
    /// Whose notices, `users/{user}` or `organizations/{organization}`; those of the account acted
    /// for where absent.
    #[schema(examples("users/bob"))]
    account: Option<String>,
    /// Where they go: `https://…`, or `mailto:` and an address.
    #[schema(max_length = 1024, examples("https://hooks.example.com/keyward"))]
    url: String,
    /// Only notices of these kinds; all where there are none.
    kinds: Option<Vec<NoticeKindName>>,
    /// For people.
    #[schema(max_length = 128)]
    label: Option<String>,
}

/// What changes about a webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1)]
struct WebhookChange {
    /// Where notices go. Requests do not turn into mail, nor mail into requests.
    #[schema(max_length = 1024)]
    url: Option<String>,
    /// Only notices of these kinds; all where there are none.
    kinds: Option<Vec<NoticeKindName>>,
    /// For people.
    #[schema(max_length = 128)]
    label: Option<String>,
    /// Whether anything is sent.
    enabled: Option<bool>,
}

/// Where notices are sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(crate) struct WebhookView {
    /// Its id.
    id: String,
    /// Whose notices.
    #[schema(examples("users/bob"))]
    account: String,
    /// Where they go.
    url: String,
    /// Only notices of these kinds; all where there are none.
    kinds: Vec<NoticeKind>,
    /// For people.
    label: String,
    /// Whether anything is sent.
    enabled: bool,
    /// When something was last delivered.
    #[schema(required)]
    delivered_at: Option<Time>,
    /// When something last was not.
    #[schema(required)]
    failed_at: Option<Time>,
    /// Why it was not.
    #[schema(required, examples("it answered 500"))]
    failure: Option<String>,
    /// When it was made.
    #[schema(required)]
    created_at: Option<Time>,
    /// When it was last changed.
    #[schema(required)]
    updated_at: Option<Time>,
}

/// A new webhook, with what its requests are signed with.
#[derive(Debug, Serialize, ToSchema)]
struct MadeWebhook {
    #[serde(flatten)]
    webhook: WebhookView,
    /// Signs what is sent there: `whsec_` and base64, shown this once. `null` for mail.
    #[schema(required, read_only, format = Password)]
    secret: Option<String>,
}

/// What became of a test.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookTest)]
struct Tested {
    /// Whether it was delivered.
    delivered: bool,
    /// The HTTP status of the answer, if there was one.
    #[schema(required)]
    status: Option<u32>,
    /// What became of it, for people.
    message: String,
}

page!(
    /// A page of webhooks.
    WebhookList { webhooks: WebhookView }
);

impl Resource for Webhook {
    type View = WebhookView;

    fn into_view(self) -> WebhookView {
        WebhookView {
            id: self.webhook_id,
            account: self.account,
            url: self.url,
            kinds: self.kinds.into_iter().map(NoticeKind::of).collect(),
            label: self.label,
            enabled: self.enabled,
            delivered_at: Time::from_proto(self.success_time.as_ref()),
            failed_at: Time::from_proto(self.failure_time.as_ref()),
            failure: present(self.failure),
            created_at: Time::from_proto(self.create_time.as_ref()),
            updated_at: Time::from_proto(self.update_time.as_ref()),
        }
    }

    fn etag(&self) -> Option<&str> {
        Some(&self.etag)
    }
}

fn kinds(given: Option<Vec<NoticeKindName>>) -> Vec<i32> {
    let given = given.unwrap_or_default();
    given
        .into_iter()
        .map(|NoticeKindName(kind)| kind.into())
        .collect()
}

/// Make a webhook
///
/// Notices of the account are sent there from now on. A request is signed in the manner of Standard
/// Webhooks, with the `secret` of the answer.
#[utoipa::path(
    post, path = "/api/v1/webhooks", operation_id = "createWebhook", tag = "Notices",
    params(IdempotencyKey), request_body = NewWebhook,
    responses((status = 201, description = "The new webhook.", body = MadeWebhook)),
)]
async fn create(
    State(services): State<Services>,
    call: Call,
    _: Query<Nothing>,
    key: IdempotencyKey,
    Given(new): Given<NewWebhook>,
) -> Outcome {
    let request = call.request(CreateWebhookRequest {
        request_id: key.request_id(),
        webhook: Some(Webhook {
            account: new.account.unwrap_or_default(),
            url: new.url,
            kinds: kinds(new.kinds),
            label: new.label.unwrap_or_default(),
            ..Webhook::default()
        }),
    });
    let answer = services
        .notices()
        .create_webhook(request)
        .await?
        .into_inner();
    let webhook = answer
        .webhook
        .ok_or_else(|| Failure::broken_contract("no webhook in the answer"))?;
    let made = MadeWebhook {
        webhook: webhook.into_view(),
        secret: present(answer.secret),
    };
    Reply::json(StatusCode::CREATED, &made)
}

/// Show a webhook
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}", operation_id = "getWebhook", tag = "Notices",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The webhook.", body = WebhookView)),
)]
async fn get(
    State(services): State<Services>,
    call: Call,
    At(webhook_id): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(GetWebhookRequest { webhook_id });
    let answer = services.notices().get_webhook(request).await?;
    Reply::resource(answer.into_inner().webhook)
}

/// List webhooks
#[utoipa::path(
    get, path = "/api/v1/webhooks", operation_id = "listWebhooks", tag = "Notices",
    params(AccountPage),
    responses((status = 200, description = "A page, newest first.", body = WebhookList)),
)]
async fn list(
    State(services): State<Services>,
    call: Call,
    Query(page): Query<AccountPage>,
) -> Outcome {
    let request = call.request(ListWebhooksRequest {
        account: page.account()?,
        page_size: page.page_size.0,
        page_token: page.page_token,
    });
    let answer = services.notices().list_webhooks(request).await?;
    let answer = answer.into_inner();
    WebhookList::reply(answer.webhooks, answer.next_page_token)
}

/// Change a webhook
#[utoipa::path(
    patch, path = "/api/v1/webhooks/{id}", operation_id = "updateWebhook", tag = "Notices",
    params(("id" = String, Path, description = "Its id."), IfMatch),
    request_body = WebhookChange,
    responses((status = 200, description = "The webhook as it is now.", body = WebhookView)),
)]
async fn update(
    State(services): State<Services>,
    call: Call,
    At(webhook_id): At<String>,
    _: Query<Nothing>,
    IfMatch(etag): IfMatch,
    Given(change): Given<WebhookChange>,
) -> Outcome {
    let update_mask = mask(&[
        ("url", change.url.is_some()),
        ("kinds", change.kinds.is_some()),
        ("label", change.label.is_some()),
        ("enabled", change.enabled.is_some()),
    ])?;
    let request = call.request(UpdateWebhookRequest {
        webhook: Some(Webhook {
            webhook_id,
            url: change.url.unwrap_or_default(),
            kinds: kinds(change.kinds),
            label: change.label.unwrap_or_default(),
            enabled: change.enabled.unwrap_or_default(),
            ..Webhook::default()
        }),
        update_mask: Some(update_mask),
        etag,
        ..UpdateWebhookRequest::default()
    });
    let answer = services.notices().update_webhook(request).await?;
    Reply::resource(answer.into_inner().webhook)
}

/// Delete a webhook
///
/// Nothing is sent there any more; what waits to be sent is given up.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/{id}", operation_id = "deleteWebhook", tag = "Notices",
    params(("id" = String, Path, description = "Its id."), IfMatch),
    responses((status = 204, description = "It is gone.")),
)]
async fn delete(
    State(services): State<Services>,
    call: Call,
    At(webhook_id): At<String>,
    _: Query<Nothing>,
    IfMatch(etag): IfMatch,
) -> Outcome {
    let request = call.request(DeleteWebhookRequest {
        webhook_id,
        etag,
        ..DeleteWebhookRequest::default()
    });
    services.notices().delete_webhook(request).await?;
    Ok(Reply::gone())
}

/// Test a webhook
///
/// Sends a notice of the type `test` there, once and at once; at most every ten seconds.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/test", operation_id = "testWebhook", tag = "Notices",
    params(("id" = String, Path, description = "Its id.")),
    responses(
        (status = 200, description = "What became of it.", body = Tested),
        (status = 429, description = "It was tested within the last 10 seconds."),
    ),
)]
async fn test(
    State(services): State<Services>,
    call: Call,
    At(webhook_id): At<String>,
    _: Query<Nothing>,
) -> Outcome {
    let request = call.request(TestWebhookRequest { webhook_id });
    let answer = services.notices().test_webhook(request).await?.into_inner();
    Reply::ok(&Tested {
        delivered: answer.delivered,
        status: Some(answer.status).filter(|status| *status != 0),
        message: answer.message,
    })
}
