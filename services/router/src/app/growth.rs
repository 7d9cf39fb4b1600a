//! Raises the hold of a stream as it grows, beside the stream and never in its way. What is done where
//! the credits do not reach is the operator's choice.

use std::sync::Arc;

use keyward_runtime::error::{Reason, ServiceError as _};
use keyward_runtime::trace::carry;
use tokio::sync::oneshot;

use super::attempt::Attempt;
use super::dispatch::Dispatch;
use super::metering::Hold;
use super::{Core, RouteError};
use crate::config::OnCreditExhausted;
use crate::domain::estimate::{AnswerBound, Expected};

/// The hold of a stream.
pub(super) struct Growth {
    core: Arc<Core>,
    hold: Hold,
    service_tier: String,
    expected: Expected,
    /// What is held now.
    answer: AnswerBound,
    /// From how many tokens on more is asked for.
    ask_at: u64,
    asking: Option<oneshot::Receiver<Heard>>,
    is_refused: bool,
}

/// What metering said.
enum Heard {
    Raised(AnswerBound),
    Refused,
    /// Nothing: it is asked again later.
    Away,
}

impl Growth {
    /// `None` where nothing is held.
    pub(super) fn of(dispatch: &Dispatch, attempt: &Attempt) -> Option<Self> {
        let (hold, expected) = (attempt.hold.as_ref()?, attempt.expected?);
        Some(Self {
            core: Arc::clone(&dispatch.core),
            hold: hold.clone(),
            service_tier: dispatch.asked_tier(&attempt.candidate),
            answer: expected.answer,
            ask_at: expected.answer.due_at(),
            expected,
            asking: None,
            is_refused: false,
        })
    }

    /// Takes in that so many tokens were delivered; says whether that is all there shall be.
    pub(super) fn delivered(&mut self, tokens: u64) -> bool {
        self.hear(tokens);
        let is_due = tokens >= self.ask_at && self.asking.is_none() && !self.is_refused;
        if is_due && let Some(raised) = self.answer.raised() {
            self.ask(raised);
        }
        let cuts = self.core.on_credit_exhausted == OnCreditExhausted::Cut;
        cuts && self.is_refused && tokens >= self.answer.held
    }

    fn hear(&mut self, tokens: u64) {
        let Some(heard) = self.asking.as_mut().map(oneshot::Receiver::try_recv) else {
            return;
        };
        match heard {
            Err(oneshot::error::TryRecvError::Empty) => return,
            Ok(Heard::Raised(answer)) => {
                self.answer = answer;
                self.ask_at = answer.due_at();
            }
            Ok(Heard::Refused) => self.is_refused = true,
            Ok(Heard::Away) | Err(oneshot::error::TryRecvError::Closed) => {
                self.ask_at = tokens.saturating_add(self.answer.held / 5 + 1);
            }
        }
        self.asking = None;
    }

    fn ask(&mut self, raised: AnswerBound) {
        let (sender, receiver) = oneshot::channel();
        self.asking = Some(receiver);
        let (hold, service_tier) = (self.hold.clone(), self.service_tier.clone());
        let usage = self.expected.with(raised).usage;
        let core = Arc::clone(&self.core);
        let asking = async move {
            let raising = core.metering.raise(&hold, &usage, &service_tier);
            let heard = heard(raising.await, raised);
            // A stream that is over does not listen any more.
            let _ = sender.send(heard);
        };
        self.core.tracker.spawn(carry(asking));
    }
}

fn heard(answer: Result<(), RouteError>, raised: AnswerBound) -> Heard {
    let error = match answer {
        Ok(()) => return Heard::Raised(raised),
        Err(error) => error,
    };
    match error.reason() {
        Reason::InsufficientCredits | Reason::FallbackCapExceeded => Heard::Refused,
        _ => Heard::Away,
    }
}
