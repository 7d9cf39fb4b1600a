//! How far a delivery has come, written down as it goes on: what a lost process leaves of it is charged
//! by that.

use std::time::Duration;

use keyward_money::Usage;
use tokio::time::Instant;

use super::attempt::Attempt;
use super::metering::MeteringPort;

/// How often it is written down.
const PAUSE: Duration = Duration::from_secs(1);

/// What was written of one delivery.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    last: Option<Instant>,
}

impl Checkpoints {
    /// Something is about to be delivered: writes so before the first time, and how far it has come
    /// once in a while. `usage` says what was used by now, the prompt included.
    pub(super) async fn passing(
        &mut self,
        metering: &MeteringPort,
        attempt: &Attempt,
        usage: impl FnOnce() -> Usage,
    ) {
        let now = Instant::now();
        let last = self.last;
        if last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            return;
        }
        self.last = Some(now);
        let usage = usage().into();
        match last {
            None => {
                let hold = attempt.hold.as_ref();
                metering.delivering(&attempt.entry, hold, usage).await;
            }
            Some(_) => metering.delivered(&attempt.entry, usage),
        }
    }
}
