//! What is kept of notices: the notices themselves, where they are sent, and the outbox, which holds
//! what is still to be sent there.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::{NewAnswer, StoreError};
use crate::domain::account::AccountKey;
use crate::domain::notice::{NewNotice, Notice};
use crate::domain::signature::SigningSecret;
use crate::domain::webhook::Webhook;

/// A notice in its place in an account's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedNotice {
    pub(crate) sequence: i64,
    pub(crate) notice: Notice,
}

/// Notices: one for each occasion.
#[async_trait]
pub(crate) trait NoticeStore: Send + Sync {
    /// Writes a notice and what is to be sent of it, unless its occasion has one; says whether it
    /// did. What is done in the transaction of something else is `notices::insert` of each engine.
    async fn notice_insert(&self, notice: NewNotice) -> Result<bool, StoreError>;

    /// An account's notices, newest first, from before the one with that sequence.
    async fn notices(
        &self,
        account: AccountKey,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<ListedNotice>, StoreError>;

    /// Deletes at most `limit` notices from before a time, with what was sent of them; says how many.
    async fn notices_forget(&self, before: Timestamp, limit: u32) -> Result<usize, StoreError>;
}

/// A webhook to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewWebhook {
    pub(crate) webhook: Webhook,
    /// What its requests are signed with; none for mail.
    pub(crate) secret: Option<SigningSecret>,
    /// How many its account may have.
    pub(crate) at_most: u32,
}

/// A webhook with what its requests are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) webhook: Webhook,
    /// None for mail.
    pub(crate) secret: Option<SigningSecret>,
}

/// Webhooks. Changes keep the answer to who asked for them, in the same transaction.
#[async_trait]
pub(crate) trait WebhookStore: Send + Sync {
    /// Stores a new one, unless its account has as many as it may; says whether it did.
    async fn webhook_insert(
        &self,
        new: NewWebhook,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError>;

    /// The one with this id, whosever it is.
    async fn webhook_get(&self, id: Uuid) -> Result<Option<Endpoint>, StoreError>;

    /// An account's webhooks, newest first, from before the one with that id.
    async fn webhooks(
        &self,
        account: AccountKey,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Webhook>, StoreError>;

    /// Replaces it where its revision is the one before; says whether it was.
    async fn webhook_update(
        &self,
        webhook: Webhook,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError>;

    /// Deletes it with what waits for it, if its revision is still that; says whether it was.
    async fn webhook_delete(
        &self,
        id: Uuid,
        revision: u64,
        answer: Option<NewAnswer>,
    ) -> Result<bool, StoreError>;

    /// Notes that one is tried out now, unless that was done after `not_since`; says whether it may
    /// be.
    async fn webhook_test(
        &self,
        id: Uuid,
        now: Timestamp,
        not_since: Timestamp,
    ) -> Result<bool, StoreError>;
}

/// Something that was taken from the outbox, to be sent by whoever took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) id: i64,
    /// Which try this is, from 1.
    pub(crate) tries: u32,
    /// Since when it is to be sent.
    pub(crate) since: Timestamp,
    pub(crate) endpoint: Endpoint,
    pub(crate) notice: Notice,
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tried {
    Delivered,
    /// It failed, and is tried again at `due`; its webhook rests until then or sooner.
    Failed {
        due: Timestamp,
        rests_until: Timestamp,
        failure: String,
    },
    /// It failed, and is not tried again.
    GivenUp {
        rests_until: Timestamp,
        failure: String,
    },
}

/// The end of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TryEnd {
    pub(crate) id: i64,
    /// Which try it was: one that somebody else has begun since is not touched.
    pub(crate) tries: u32,
    pub(crate) webhook: Uuid,
    pub(crate) time: Timestamp,
    pub(crate) tried: Tried,
}

/// How much is to be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct OutboxDepth {
    pub(crate) waiting: u32,
    /// Since when the oldest of it waits.
    pub(crate) oldest: Option<Timestamp>,
}

/// What is to be sent. Several senders share it: what one has taken no other takes, until the claim
/// runs out, and of one webhook one thing is under way at a time.
#[async_trait]
pub(crate) trait OutboxStore: Send + Sync {
    /// Whether something can be sent.
    async fn outbox_is_due(&self, now: Timestamp) -> Result<bool, StoreError>;

    /// Takes at most `limit` things that are due, each for another webhook, until `claimed_until`.
    /// Each is counted as tried, whether or not its taker lives to say what became of it.
    async fn outbox_take(
        &self,
        now: Timestamp,
        claimed_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Outgoing>, StoreError>;

    /// Ends a try; says whether it was still the last one.
    async fn outbox_end(&self, end: TryEnd) -> Result<bool, StoreError>;

    /// Gives up what has waited since before a time, such as what waits for a webhook that is
    /// switched off; says how many.
    async fn outbox_give_up(&self, before: Timestamp, now: Timestamp) -> Result<usize, StoreError>;

    /// How much waits.
    async fn outbox_depth(&self) -> Result<OutboxDepth, StoreError>;
}
