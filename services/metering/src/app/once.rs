//! Changes that are made once for each id that a caller gives them: asked for again under the same
//! id, they are answered as before.

use jiff::{SignedDuration, Timestamp};
use prost::Message;

use super::{App, REQUEST_ID_BYTES_MAX};
use crate::MeteringError;
use crate::domain::requester::Requester;
use crate::store::{Answer, Call, NewAnswer};

/// How long a request is known by its id.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// What a request is known by, should it come again.
#[derive(Debug, Clone)]
pub(crate) struct Once {
    /// The id that the caller gave it; empty for none.
    pub(crate) request_id: String,
    /// What it asks for, encoded.
    pub(crate) request: Vec<u8>,
}

/// A change that is to be made.
pub(super) struct Change {
    once: Once,
    /// None where the caller gave no id.
    call: Option<Call>,
    /// When it is made.
    pub(super) now: Timestamp,
}

impl App {
    /// What was answered to the same call before; else the change that is to be made.
    pub(super) async fn begin<M: Message + Default>(
        &self,
        requester: &Requester,
        method: &'static str,
        once: Once,
        now: Timestamp,
    ) -> Result<Result<M, Change>, MeteringError> {
        let call = call(requester, method, &once)?;
        if let Some(call) = &call
            && let Some(before) = self.store.answer(call.clone(), since(now)).await?
        {
            return again(&before, &once).map(Ok);
        }
        Ok(Err(Change { once, call, now }))
    }
}

impl Change {
    /// The answer to it, to be kept where it has an id.
    pub(super) fn answered(self, answer: &impl Message) -> Option<NewAnswer> {
        Some(NewAnswer {
            call: self.call?,
            answer: Answer {
                request: self.once.request,
                answer: answer.encode_to_vec(),
            },
            time: self.now,
            forget_before: since(self.now),
        })
    }
}

fn since(now: Timestamp) -> Timestamp {
    now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN)
}

/// The answer that was given, if the same was asked for.
fn again<M: Message + Default>(before: &Answer, once: &Once) -> Result<M, MeteringError> {
    if before.request != once.request {
        return Err(MeteringError::IdempotencyMismatch);
    }
    M::decode(&*before.answer).map_err(|error| MeteringError::Store(Box::new(error)))
}

fn call(
    requester: &Requester,
    method: &'static str,
    once: &Once,
) -> Result<Option<Call>, MeteringError> {
    if once.request_id.len() > REQUEST_ID_BYTES_MAX {
        let message = "`request_id` has at most 255 bytes";
        return Err(MeteringError::invalid("request_id", message));
    }
    let asked = (!once.request_id.is_empty()).then(|| Call {
        caller: requester.caller(),
        method,
        request_id: once.request_id.clone(),
    });
    Ok(asked)
}
