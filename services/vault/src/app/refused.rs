//! What is written down of roles that call what they may not.

use keyward_auth::RefusedPeer;
use keyward_runtime::ids;
use keyward_runtime::trace::TraceContext;

use super::Core;
use crate::domain::audit::{Action, Actor, AuditEvent, Outcome};
use crate::error::Result;

impl Core {
    /// Writes an event about a refused call, for the platform's eyes; of a peer that is refused again
    /// and again not all.
    pub(crate) async fn peer_refused(&self, refused: &RefusedPeer) -> Result<()> {
        let (id, now) = (ids::new(), self.clock.now());
        let Some(left_out) = self.refusals.lock().note(&refused.peer, now) else {
            return Ok(());
        };
        let reason = match left_out {
            0 => refused.reason.clone(),
            more => format!("{}; {more} before it were not written down", refused.reason),
        };
        let trace = TraceContext::current();
        let actor = Actor {
            peer: refused.peer.clone(),
            trace_id: trace.map(|trace| trace.trace_id()).unwrap_or_default(),
            ..Actor::default()
        };
        let event = AuditEvent::new(id, now, &actor, Action::PeerRefused, refused.method)
            .not_done(Outcome::Refused, reason.as_str());
        Ok(self.store.audit_insert(event).await?)
    }
}
