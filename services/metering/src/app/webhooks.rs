//! Webhooks: where an account's notices are sent. They are for who manages the account; to others
//! they do not exist.

use jiff::{SignedDuration, Timestamp};
use keyward_proto::metering::v1 as wire;
use keyward_runtime::{ids, page, time};
use ring::rand::{SecureRandom as _, SystemRandom};
use uuid::Uuid;

use super::{App, Once};
use crate::MeteringError;
use crate::courier::Undelivered;
use crate::domain::notice::{Notice, NoticeKind};
use crate::domain::requester::Requester;
use crate::domain::signature::SigningSecret;
use crate::domain::webhook::{DeliveryRecord, InvalidWebhook, Terms, TermsPatch, Webhook};
use crate::store::notices::{Endpoint, NewWebhook};

/// How many webhooks an account may have: each is sent every notice, and anybody's mailbox can be
/// one.
const AT_MOST: u32 = 20;

/// How often one can be tried out, for the same reason.
const TEST_EVERY: SignedDuration = SignedDuration::from_secs(10);

const NOT_FOUND: MeteringError = MeteringError::NotFound("webhook");

impl App {
    /// Makes a webhook; its secret is in the answer and is never shown again.
    pub(crate) async fn create_webhook(
        &self,
        requester: &Requester,
        account: &str,
        terms: Terms,
        once: Once,
    ) -> Result<wire::CreateWebhookResponse, MeteringError> {
        let access = self.managed(requester, account).await?;
        let terms = terms.checked(self.courier.rules()).map_err(invalid)?;
        let _one_at_a_time = self.webhook_changes.lock().await;
        let begun = self.begin(requester, "CreateWebhook", once, time::now());
        let change = match begun.await? {
            Ok(answered_before) => return Ok(answered_before),
            Err(change) => change,
        };
        let webhook = Webhook {
            id: ids::new(),
            account: access.key,
            account_name: access.name.to_string(),
            terms,
            revision: 1,
            create_time: change.now,
            update_time: change.now,
            record: DeliveryRecord::default(),
        };
        let secret = match webhook.terms.target.is_mail() {
            true => None,
            false => Some(new_secret()?),
        };
        let text = secret.as_ref().map(SigningSecret::text);
        let answer = wire::CreateWebhookResponse {
            webhook: Some(answered(&webhook)),
            secret: text.map_or_else(String::new, |text| text.expose().to_owned()),
        };
        let kept = change.answered(&answer);
        let new = NewWebhook {
            webhook,
            secret,
            at_most: AT_MOST,
        };
        match self.store.webhook_insert(new, kept).await? {
            true => Ok(answer),
            false => Err(MeteringError::invalid(
                "account",
                format_args!("an account has at most {AT_MOST} webhooks"),
            )),
        }
    }

    /// One webhook.
    pub(crate) async fn webhook(
        &self,
        requester: &Requester,
        id: Uuid,
    ) -> Result<wire::Webhook, MeteringError> {
        let endpoint = self.endpoint(requester, id).await?;
        Ok(answered(&endpoint.webhook))
    }

    /// A page of an account's webhooks, newest first.
    pub(crate) async fn webhooks(
        &self,
        requester: &Requester,
        account: &str,
        page_size: u32,
        page_token: &str,
    ) -> Result<(Vec<wire::Webhook>, String), MeteringError> {
        let access = self.managed(requester, account).await?;
        let size = page::size(page_size);
        let before = before(page_token)?;
        let rows = self.store.webhooks(access.key, before, size + 1).await?;
        let (rows, next) = page::cut(rows, size, |row| row.id.to_string());
        Ok((rows.iter().map(answered).collect(), next))
    }

    /// Changes a webhook; with an etag only as long as it is as it was then.
    pub(crate) async fn update_webhook(
        &self,
        requester: &Requester,
        id: Uuid,
        (patch, etag): (TermsPatch, &str),
        once: Once,
    ) -> Result<wire::Webhook, MeteringError> {
        let _one_at_a_time = self.webhook_changes.lock().await;
        let begun = self.begin(requester, "UpdateWebhook", once, time::now());
        let change = match begun.await? {
            Ok(answered_before) => return Ok(answered_before),
            Err(change) => change,
        };
        let before = self.endpoint(requester, id).await?.webhook;
        check(&before, etag)?;
        let webhook = before
            .changed(patch, self.courier.rules(), change.now)
            .map_err(invalid)?;
        let answer = answered(&webhook);
        let kept = change.answered(&answer);
        match self.store.webhook_update(webhook, kept).await? {
            true => Ok(answer),
            false => Err(MeteringError::Changed("webhook")),
        }
    }

    /// Deletes a webhook, and gives up what waits for it.
    pub(crate) async fn delete_webhook(
        &self,
        requester: &Requester,
        id: Uuid,
        etag: &str,
        once: Once,
    ) -> Result<wire::DeleteWebhookResponse, MeteringError> {
        let _one_at_a_time = self.webhook_changes.lock().await;
        let begun = self.begin(requester, "DeleteWebhook", once, time::now());
        let change = match begun.await? {
            Ok(answered_before) => return Ok(answered_before),
            Err(change) => change,
        };
        let webhook = self.endpoint(requester, id).await?.webhook;
        check(&webhook, etag)?;
        let answer = wire::DeleteWebhookResponse {};
        let kept = change.answered(&answer);
        let deleted = self.store.webhook_delete(id, webhook.revision, kept);
        match deleted.await? {
            true => Ok(answer),
            false => Err(MeteringError::Changed("webhook")),
        }
    }

    /// Sends a notice there at once, and says what became of it: the status of the answer.
    pub(crate) async fn test_webhook(
        &self,
        requester: &Requester,
        id: Uuid,
    ) -> Result<Result<Option<u16>, Undelivered>, MeteringError> {
        let endpoint = self.endpoint(requester, id).await?;
        let now = time::now();
        let not_since = now.checked_sub(TEST_EVERY).unwrap_or(Timestamp::MIN);
        if !self.store.webhook_test(id, now, not_since).await? {
            return Err(MeteringError::TooSoon(
                "a webhook is tested at most every 10 seconds",
            ));
        }
        let notice = Notice::test(ids::new(), id, now);
        Ok(self.courier.send(&endpoint, &notice, now).await)
    }

    /// The webhook of that id, if the requester manages its account.
    async fn endpoint(&self, requester: &Requester, id: Uuid) -> Result<Endpoint, MeteringError> {
        let endpoint = self.store.webhook_get(id).await?.ok_or(NOT_FOUND)?;
        let name = &endpoint.webhook.account_name;
        let access = match self.managed(requester, name).await {
            Err(MeteringError::NotFound(_)) => return Err(NOT_FOUND),
            access => access?,
        };
        // The name may be another's since.
        match access.key == endpoint.webhook.account {
            true => Ok(endpoint),
            false => Err(NOT_FOUND),
        }
    }
}

fn check(webhook: &Webhook, etag: &str) -> Result<(), MeteringError> {
    match etag.is_empty() || etag == webhook.etag() {
        true => Ok(()),
        false => Err(MeteringError::Changed("webhook")),
    }
}

fn invalid(error: InvalidWebhook) -> MeteringError {
    MeteringError::invalid(error.param(), error)
}

fn new_secret() -> Result<SigningSecret, MeteringError> {
    let mut bytes = zeroize::Zeroizing::new([0; SigningSecret::BYTES]);
    SystemRandom::new()
        .fill(&mut *bytes)
        .map_err(|_| MeteringError::NoRandomness)?;
    Ok(SigningSecret::new(&bytes))
}

fn before(page_token: &str) -> Result<Option<Uuid>, MeteringError> {
    let invalid = || MeteringError::invalid("page_token", page::InvalidPageToken);
    let key = page::key(page_token).map_err(|_| invalid())?;
    key.map(|key| key.parse().map_err(|_| invalid()))
        .transpose()
}

fn answered(webhook: &Webhook) -> wire::Webhook {
    let Webhook { terms, record, .. } = webhook;
    wire::Webhook {
        webhook_id: webhook.id.to_string(),
        account: webhook.account_name.clone(),
        url: terms.target.to_string(),
        kinds: terms
            .kinds
            .iter()
            .map(|kind| wire_kind(*kind).into())
            .collect(),
        label: terms.label.clone(),
        enabled: terms.enabled,
        etag: webhook.etag(),
        create_time: Some(time::to_proto(webhook.create_time)),
        update_time: Some(time::to_proto(webhook.update_time)),
        success_time: record.success_time.map(time::to_proto),
        failure_time: record.failure_time.map(time::to_proto),
        failure: record.failure.clone(),
    }
}

/// The kind as the contract has it.
pub(crate) const fn wire_kind(kind: NoticeKind) -> wire::NoticeKind {
    match kind {
        NoticeKind::BudgetThreshold => wire::NoticeKind::BudgetThreshold,
        NoticeKind::LowBalance => wire::NoticeKind::LowBalance,
        NoticeKind::KeyFailing => wire::NoticeKind::KeyFailing,
        NoticeKind::KeyRotationDue => wire::NoticeKind::KeyRotationDue,
        NoticeKind::KeyExpiring => wire::NoticeKind::KeyExpiring,
        NoticeKind::FallbackToCredits => wire::NoticeKind::FallbackToCredits,
        NoticeKind::Test => wire::NoticeKind::Test,
    }
}
