//! The same request again: the first answer, without a second effect. What is remembered is written
//! in the transaction of the change itself, so that no crash can leave one without the other;
//! failures are not remembered.

use std::ops::Deref;

use keyward_auth::Subject;
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Context, Core};
use crate::domain::access::Deed;
use crate::domain::envelope::{Binding, Purpose};
use crate::domain::replay::{
    Authority, KeptAnswer, REQUEST_ID_BYTES_MAX, Replay, ReplayId, RequestDigest, forgotten_before,
};
use crate::error::{Result, VaultError};
use crate::store::Effects;

/// How many changes with a request id can be under way without waiting for one that they have
/// nothing to do with.
const TURNS: usize = 256;

/// What a change is remembered by, where its caller gave it an id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    id: ReplayId,
    request: RequestDigest,
    /// Whether its answer holds a secret.
    is_secret: bool,
}

/// A change as it is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AskedChange<'a> {
    /// The method's name.
    pub method: &'static str,
    /// What the caller calls this change; empty if it will not ask again.
    pub request_id: &'a str,
    /// The encoded request.
    pub message: &'a [u8],
    /// Whether its answer holds a secret.
    pub is_secret: bool,
}

/// The circumstances of a change whose use case returns a `T`, with what makes its answer of that.
pub(crate) struct Command<'a, T> {
    context: &'a Context,
    encode: Option<Box<Encode<'a, T>>>,
}

type Encode<'a, T> = dyn Fn(T) -> Zeroizing<Vec<u8>> + Send + Sync + 'a;

impl<'a, T> Command<'a, T> {
    /// A caller's; `encode` gives the bytes of the answer.
    pub(crate) fn new(
        context: &'a Context,
        encode: impl Fn(T) -> Zeroizing<Vec<u8>> + Send + Sync + 'a,
    ) -> Self {
        Self {
            context,
            encode: Some(Box::new(encode)),
        }
    }

    /// One of the vault's own, which nobody waits to be answered.
    pub(super) fn own(context: &'a Context) -> Self {
        Self {
            context,
            encode: None,
        }
    }
}

impl<T> Deref for Command<'_, T> {
    type Target = Context;

    fn deref(&self) -> &Context {
        self.context
    }
}

/// Lets one of several equal requests through at a time.
#[derive(Debug)]
pub(crate) struct Turns([Mutex<()>; TURNS]);

impl Turns {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }

    async fn take(&self, id: ReplayId) -> Option<MutexGuard<'_, ()>> {
        // By the first byte, which has as many values as there are turns.
        let turn = self.0.get(usize::from(id.0[0]))?;
        Some(turn.lock().await)
    }
}

impl Core {
    /// What a change is remembered by; none where the caller gave it no id.
    ///
    /// # Errors
    /// [`VaultError::Invalid`] if the id is longer than any should be.
    pub(crate) fn memory(
        &self,
        context: &Context,
        asked: AskedChange<'_>,
    ) -> Result<Option<Memory>> {
        if asked.request_id.is_empty() {
            return Ok(None);
        }
        if asked.request_id.len() > REQUEST_ID_BYTES_MAX {
            let message = "request_id must be at most 255 bytes";
            return Err(VaultError::invalid("request_id", message));
        }
        let caller = context.caller();
        let caller: Vec<&[u8]> = caller.iter().map(String::as_bytes).collect();
        let id = self.replays.id(&caller, asked.method, asked.request_id);
        Ok(Some(Memory {
            id,
            request: self.replays.request(asked.message),
            is_secret: asked.is_secret,
        }))
    }

    /// Waits while an equal request is under way; whoever holds the turn may ask for its answer, or
    /// do what it asks.
    pub(crate) async fn turn(&self, context: &Context) -> Option<MutexGuard<'_, ()>> {
        self.turns.take(context.memory?.id).await
    }

    /// The answer that this request has had, if any, as encoded then.
    ///
    /// # Errors
    /// [`VaultError::OtherRequest`] if another request came under the same id, and what the change
    /// itself would say to a caller who may not do it any more.
    pub(crate) async fn replay(&self, context: &Context) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let Some(memory) = context.memory else {
            return Ok(None);
        };
        let since = forgotten_before(context.now);
        let Some(replay) = self.store.replay_get(memory.id, since).await? else {
            return Ok(None);
        };
        if replay.request != memory.request {
            return Err(VaultError::OtherRequest);
        }
        if let Authority {
            owner,
            thing: Some(thing),
        } = replay.authority
        {
            self.authorise(context, owner, (thing, Deed::Manage), "owner")
                .await?;
        }
        self.open_answer(&replay).await.map(Some)
    }

    /// Adds to what is written with a change what is to be remembered of it: that it was answered
    /// with `outcome`.
    pub(super) async fn remembering<T>(
        &self,
        command: &Command<'_, T>,
        authority: Authority,
        outcome: T,
        effects: Effects,
    ) -> Result<Effects> {
        let (Some(memory), Some(encode)) = (command.memory, &command.encode) else {
            return Ok(effects);
        };
        let answer = encode(outcome);
        let answer = if memory.is_secret {
            let binding = answer_binding(memory.id, authority);
            KeptAnswer::Sealed(self.seal(&binding, &answer).await?)
        } else {
            KeptAnswer::Plain(answer.to_vec())
        };
        let replay = Replay {
            id: memory.id,
            request: memory.request,
            authority,
            answer,
            time: command.now,
        };
        Ok(Effects {
            replay: Some(replay),
            ..effects
        })
    }

    /// Remembers the answer to a change that there was nothing to do for.
    pub(super) async fn remember_only<T>(
        &self,
        command: &Command<'_, T>,
        authority: Authority,
        outcome: T,
    ) -> Result<()> {
        let effects = self
            .remembering(command, authority, outcome, Effects::default())
            .await?;
        match effects.replay {
            Some(replay) => Ok(self.store.replay_put(replay).await?),
            None => Ok(()),
        }
    }

    async fn open_answer(&self, replay: &Replay) -> Result<Zeroizing<Vec<u8>>> {
        match &replay.answer {
            KeptAnswer::Plain(answer) => Ok(Zeroizing::new(answer.clone())),
            KeptAnswer::Sealed(record) => {
                let binding = answer_binding(replay.id, replay.authority);
                self.open(&binding, record).await
            }
        }
    }
}

/// An answer opens only for the call that it was given to.
fn answer_binding(id: ReplayId, authority: Authority) -> Binding<'static> {
    let (front, back) = halves(id);
    Binding {
        owner: authority.owner,
        record_id: front,
        version: back,
        purpose: Purpose {
            provider: "keyward",
            base_url: "",
            api_version: "",
            account: "replay",
            scope: "*",
        },
    }
}

/// As much of the id as a binding has room for: 192 of its bits.
fn halves(id: ReplayId) -> (Uuid, u64) {
    let [front, back] = [&id.0[..16], &id.0[16..24]];
    let front = Uuid::from_slice(front).unwrap_or_default();
    let back = back.try_into().map(u64::from_be_bytes).unwrap_or_default();
    (front, back)
}

impl Context {
    /// Who asks, field by field. The access key is one of them: what one of a user's keys was told,
    /// another that may do less must not see.
    fn caller(&self) -> [String; 4] {
        let Some(principal) = self.principal.as_deref() else {
            let service = self.peer.as_str().to_owned();
            return ["service".to_owned(), service, String::new(), String::new()];
        };
        let uid = |subject: Option<&Subject>| subject.map(|s| s.uid.clone()).unwrap_or_default();
        let organization = uid(principal.organization.as_ref());
        let [user, key] = [
            uid(principal.user.as_ref()),
            principal.access_key_id.clone(),
        ];
        ["caller".to_owned(), key, user, organization]
    }
}
