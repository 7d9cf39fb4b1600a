//! Looking for a stored answer, and waiting for who is about to get one.

use std::sync::Arc;
use std::time::Duration;

use crate::app::cache::{Boarding, Flight, Landing};
use crate::app::dispatch::{Dispatch, ProviderAnswer};
use crate::domain::cache::{Key, StoredAnswer};
use crate::domain::plan::Plan;

/// How long one request waits for the same ones that came before it; then it asks by itself.
const FOLLOW_MAX: Duration = Duration::from_secs(30);

/// What came of looking for an answer.
pub(super) enum Looked {
    /// There is one.
    Found(Arc<StoredAnswer>),
    /// A provider refused the same request, asked with the same key.
    Refused(Arc<ProviderAnswer>),
    /// There is none. Others wait for this request where it is their first.
    Missing(Option<Flight>),
    /// The caller left.
    Left,
}

impl Dispatch {
    /// Looks for an answer, for as long as somebody is about to get it. Where the one before fails, the
    /// next is the first: whoever waits asks in its turn, and not all at once.
    pub(super) async fn look(&self, key: &Key, plan: &Plan) -> Looked {
        if let Some(answer) = self.stored(key, plan).await {
            return Looked::Found(answer);
        }
        let mut late = std::pin::pin!(tokio::time::sleep(FOLLOW_MAX));
        loop {
            let ahead = match self.core.cache.board(key) {
                Boarding::First(flight) => return self.first(key, plan, flight).await,
                Boarding::Behind(ahead) => ahead,
            };
            let landing = tokio::select! {
                landing = ahead.landed() => Some(landing),
                () = &mut late => None,
                () = self.closing.over() => None,
                () = self.answer.closed() => return Looked::Left,
            };
            if let Some(answer) = self.stored(key, plan).await {
                return Looked::Found(answer);
            }
            match landing {
                Some(Landing::Refused(answer)) if concerns(plan, &answer) => {
                    return Looked::Refused(answer);
                }
                Some(Landing::Failed | Landing::Refused(_)) => {}
                // It was answered with what is not stored: nobody else can use that.
                Some(Landing::Served) | None => return Looked::Missing(None),
            }
        }
    }

    async fn first(&self, key: &Key, plan: &Plan, flight: Flight) -> Looked {
        // Whoever was through just before has put it there.
        match self.stored(key, plan).await {
            Some(answer) => Looked::Found(answer),
            None => Looked::Missing(Some(flight)),
        }
    }

    /// A stored answer that this request might have got from a provider, too.
    async fn stored(&self, key: &Key, plan: &Plan) -> Option<Arc<StoredAnswer>> {
        let answer = self.core.cache.get(key).await?;
        let mut candidates = plan.candidates.iter();
        let is_allowed = candidates.any(|candidate| answer.is_from(candidate));
        is_allowed.then_some(answer)
    }
}

/// Whether the first call of a plan would be the one that was refused: another key might be refused
/// nothing.
fn concerns(plan: &Plan, answer: &ProviderAnswer) -> bool {
    let first = plan.candidates.first();
    first.is_some_and(|first| first.is_same_call(&answer.candidate))
}
