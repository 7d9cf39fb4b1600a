//! `NoticeService`.

use std::collections::BTreeSet;

use keyward_proto::metering::v1 as wire;
use keyward_proto::metering::v1::notice_service_server::NoticeService;
use keyward_proto::metering::v1::{
    CreateWebhookRequest, CreateWebhookResponse, DeleteWebhookRequest, DeleteWebhookResponse,
    GetWebhookRequest, GetWebhookResponse, ListNoticesRequest, ListNoticesResponse,
    ListWebhooksRequest, ListWebhooksResponse, TestWebhookRequest, TestWebhookResponse,
    UpdateWebhookRequest, UpdateWebhookResponse, Webhook,
};
use keyward_runtime::time;
use tonic::{Request, Response, Status, async_trait};

use super::{Grpc, convert, once, requester, status};
use crate::MeteringError;
use crate::app::wire_kind;
use crate::domain::notice::{Notice, NoticeKind};
use crate::domain::webhook::{InvalidWebhook, Target, Terms, TermsPatch};

#[async_trait]
impl NoticeService for Grpc {
    async fn list_notices(
        &self,
        request: Request<ListNoticesRequest>,
    ) -> Result<Response<ListNoticesResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let (account, rows, next_page_token) = self
            .app
            .notices(
                &requester,
                &asked.account,
                asked.page_size,
                &asked.page_token,
            )
            .await
            .map_err(status)?;
        let notices = rows.into_iter().map(|row| notice(row.notice, &account));
        Ok(Response::new(ListNoticesResponse {
            notices: notices.collect(),
            next_page_token,
        }))
    }

    async fn create_webhook(
        &self,
        request: Request<CreateWebhookRequest>,
    ) -> Result<Response<CreateWebhookResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let once = once(&asked.request_id, &asked);
        let webhook = given(asked.webhook).map_err(status)?;
        let terms = terms(&webhook).map_err(status)?;
        let made = self
            .app
            .create_webhook(&requester, &webhook.account, terms, once);
        Ok(Response::new(made.await.map_err(status)?))
    }

    async fn get_webhook(
        &self,
        request: Request<GetWebhookRequest>,
    ) -> Result<Response<GetWebhookResponse>, Status> {
        let requester = requester(&request)?;
        let id = id(&request.into_inner().webhook_id).map_err(status)?;
        let webhook = self.app.webhook(&requester, id).await.map_err(status)?;
        Ok(Response::new(GetWebhookResponse {
            webhook: Some(webhook),
        }))
    }

    async fn list_webhooks(
        &self,
        request: Request<ListWebhooksRequest>,
    ) -> Result<Response<ListWebhooksResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let (webhooks, next_page_token) = self
            .app
            .webhooks(
                &requester,
                &asked.account,
                asked.page_size,
                &asked.page_token,
            )
            .await
            .map_err(status)?;
        Ok(Response::new(ListWebhooksResponse {
            webhooks,
            next_page_token,
        }))
    }

    async fn update_webhook(
        &self,
        request: Request<UpdateWebhookRequest>,
    ) -> Result<Response<UpdateWebhookResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let once = once(&asked.request_id, &asked);
        let webhook = given(asked.webhook).map_err(status)?;
        let paths = asked.update_mask.unwrap_or_default().paths;
        let patch = patch(&webhook, &paths).map_err(status)?;
        let id = id(&webhook.webhook_id).map_err(status)?;
        let change = (patch, asked.etag.as_str());
        let changed = self.app.update_webhook(&requester, id, change, once);
        Ok(Response::new(UpdateWebhookResponse {
            webhook: Some(changed.await.map_err(status)?),
        }))
    }

    async fn delete_webhook(
        &self,
        request: Request<DeleteWebhookRequest>,
    ) -> Result<Response<DeleteWebhookResponse>, Status> {
        let requester = requester(&request)?;
        let asked = request.into_inner();
        let once = once(&asked.request_id, &asked);
        let id = id(&asked.webhook_id).map_err(status)?;
        let deleted = self.app.delete_webhook(&requester, id, &asked.etag, once);
        Ok(Response::new(deleted.await.map_err(status)?))
    }

    async fn test_webhook(
        &self,
        request: Request<TestWebhookRequest>,
    ) -> Result<Response<TestWebhookResponse>, Status> {
        let requester = requester(&request)?;
        let id = id(&request.into_inner().webhook_id).map_err(status)?;
        let tested = self.app.test_webhook(&requester, id).await;
        let (delivered, code, message) = match tested.map_err(status)? {
            Ok(code) => (true, code, "delivered".to_owned()),
            Err(failed) => (false, failed.status, failed.message),
        };
        Ok(Response::new(TestWebhookResponse {
            delivered,
            status: code.map_or(0, u32::from),
            message,
        }))
    }
}

/// An id that is none of ours is one of no webhook.
fn id(text: &str) -> Result<uuid::Uuid, MeteringError> {
    convert::uuid("webhook_id", text).map_err(|_| MeteringError::NotFound("webhook"))
}

fn given(webhook: Option<Webhook>) -> Result<Webhook, MeteringError> {
    webhook.ok_or_else(|| MeteringError::invalid("webhook", "`webhook` is missing"))
}

fn terms(webhook: &Webhook) -> Result<Terms, MeteringError> {
    Ok(Terms {
        target: target(webhook)?,
        kinds: kinds(webhook)?,
        label: webhook.label.clone(),
        enabled: true,
    })
}

fn target(webhook: &Webhook) -> Result<Target, MeteringError> {
    let invalid = |error: InvalidWebhook| MeteringError::invalid(error.param(), error);
    webhook.url.parse().map_err(invalid)
}

fn kinds(webhook: &Webhook) -> Result<BTreeSet<NoticeKind>, MeteringError> {
    let unknown = || MeteringError::invalid("kinds", "`kinds` has one that is not known");
    let kind = |kind: &i32| {
        let mut known = NoticeKind::ALL.into_iter();
        let found = known.find(|known| i32::from(wire_kind(*known)) == *kind);
        found.ok_or_else(unknown)
    };
    webhook.kinds.iter().map(kind).collect()
}

fn patch(webhook: &Webhook, paths: &[String]) -> Result<TermsPatch, MeteringError> {
    let mut patch = TermsPatch::default();
    for path in paths {
        match path.as_str() {
            "url" => patch.target = Some(target(webhook)?),
            "kinds" => patch.kinds = Some(kinds(webhook)?),
            "label" => patch.label = Some(webhook.label.clone()),
            "enabled" => patch.enabled = Some(webhook.enabled),
            _ => {
                let message = "`update_mask` names a field that does not change";
                return Err(MeteringError::invalid("update_mask", message));
            }
        }
    }
    match paths.is_empty() {
        true => Err(MeteringError::invalid(
            "update_mask",
            "`update_mask` names no field",
        )),
        false => Ok(patch),
    }
}

fn notice(notice: Notice, account: &str) -> wire::Notice {
    wire::Notice {
        notice_id: notice.id.to_string(),
        kind: wire_kind(notice.kind).into(),
        account: account.to_owned(),
        subject: notice.subject,
        create_time: Some(time::to_proto(notice.time)),
        message: notice.message,
        data: notice.data.into_iter().collect(),
    }
}
