//! Rewrapping: data keys that other master keys wrap come under the active one, while they are in
//! use. Each is replaced only if it is still what was read, and what is left is found by asking the
//! store, so that it can end at any moment and go on with the next call.

use tokio::sync::mpsc;

use super::admin;
use crate::app::{Context, Core};
use crate::domain::audit::Action;
use crate::error::Result;
use crate::kek::KekError;
use crate::store::{DataKeyName, Effects, Rewrapping, StoredDataKey};

/// How many data keys are rewrapped in one transaction: enough that commits are not what takes the
/// time, few enough that a transaction is short.
const BATCH: u32 = 500;

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RewrapProgress {
    /// How many were rewrapped.
    pub rewrapped: u64,
    /// How many the active master key does not wrap yet.
    pub remaining: u64,
    /// How many do not open and were left as they are.
    pub failed: u64,
}

impl Core {
    /// Rewraps, at most `limit` data keys where it is not 0, and tells `out` after each batch. Ends
    /// when nobody listens any more.
    ///
    /// # Errors
    /// Told to `out`.
    pub(crate) async fn rewrap(
        &self,
        context: &Context,
        limit: u64,
        out: mpsc::Sender<Result<RewrapProgress>>,
    ) {
        let mut progress = RewrapProgress::default();
        let mut after = None;
        let most = if limit == 0 { u64::MAX } else { limit };
        loop {
            let left = most.saturating_sub(progress.rewrapped);
            let size = u32::try_from(left).unwrap_or(BATCH).min(BATCH);
            let more = self
                .rewrap_batch(context, size, &mut after, &mut progress)
                .await;
            let told = more.as_ref().map(|_| progress);
            let is_last = !matches!(more, Ok(true)) || progress.rewrapped >= most;
            let told = told.map_err(|_| ());
            let message = match (told, more) {
                (Ok(progress), _) => Ok(progress),
                (Err(()), Err(error)) => Err(error),
                (Err(()), Ok(_)) => return,
            };
            if out.send(message).await.is_err() || is_last {
                return;
            }
        }
    }

    /// Whether there may be more.
    async fn rewrap_batch(
        &self,
        context: &Context,
        size: u32,
        after: &mut Option<DataKeyName>,
        progress: &mut RewrapProgress,
    ) -> Result<bool> {
        admin(context)?;
        let active = self.masters.active()?;
        let stored = self
            .store
            .data_keys_not_under(&active, *after, size)
            .await?;
        let is_full = stored.len() >= usize::try_from(size).unwrap_or(usize::MAX);
        if let Some(last) = stored.last() {
            *after = Some((last.owner, last.generation));
            let rewrappings = self.rewrapped(&active, stored).await?;
            progress.failed += rewrappings.1;
            let mut event = context.event(Action::MasterKeyRewrap, &active);
            event.purpose = format!("{} data keys", rewrappings.0.len());
            let effects = Effects::audit(event);
            progress.rewrapped += self.store.data_keys_rewrap(rewrappings.0, effects).await?;
        }
        let counts = self.store.master_keys_list().await?;
        let others = counts.iter().filter(|(key, _)| *key.id != *active);
        progress.remaining = others.map(|(_, data_keys)| data_keys).sum();
        Ok(is_full)
    }

    /// What they are wrapped to then, and how many do not open.
    async fn rewrapped(
        &self,
        active: &str,
        stored: Vec<StoredDataKey>,
    ) -> Result<(Vec<Rewrapping>, u64)> {
        let opened = self.masters.unwrap_all(&stored).await?;
        let mut open = Vec::new();
        let mut failed = 0;
        for (before, key) in stored.into_iter().zip(opened) {
            match key {
                Ok(key) => open.push((before, key)),
                Err(error) => {
                    failed += 1;
                    tracing::warn!(
                        owner.uid = %before.owner.uid, %error,
                        "a data key does not open and is left as it is"
                    );
                }
            }
        }
        let keys: Vec<_> = open.iter().map(|(_, key)| key).collect();
        let wrapped = self.masters.wrap_all(active, &keys).await?;
        if wrapped.len() != open.len() {
            return Err(KekError::Away("it answered for fewer data keys than asked".into()).into());
        }
        let rewrapping = |((before, _), after): ((StoredDataKey, _), StoredDataKey)| Rewrapping {
            before,
            master_key_id: after.master_key_id,
            wrapped: after.wrapped,
        };
        let all = open.into_iter().zip(wrapped).map(rewrapping);
        Ok((all.collect(), failed))
    }
}
