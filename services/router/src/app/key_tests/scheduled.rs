//! Tests of stored keys that are due: the vault hands them out, each to one router, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::app::Core;

/// How many keys are taken on at once: few enough to be tested long before the claim ends.
const CLAIM_KEYS: u32 = 20;
/// How many are asked about at one time, so that tests are never felt beside requests.
const AT_ONCE: usize = 2;
/// The longest pause between two looks: with twenty keys each, 5,760 a day.
const LOOK_EVERY_MAX: Duration = Duration::from_mins(5);
/// The shortest.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(250);
/// How often an interval is looked into.
const LOOKS: u32 = 100;

/// Tests what is due where keys are tested once in `interval`, until the process stops.
pub(crate) async fn keep_tested(core: Arc<Core>, interval: Duration, stopping: CancellationToken) {
    let pause = (interval / LOOKS).clamp(LOOK_EVERY_MIN, LOOK_EVERY_MAX);
    let testing = async {
        loop {
            // Routers that start together look at different times from then on.
            tokio::time::sleep(jittered(pause)).await;
            core.test_due(interval).await;
        }
    };
    stopping.run_until_cancelled(testing).await;
}

/// Between three quarters and five quarters of it; ids are random enough for that.
fn jittered(pause: Duration) -> Duration {
    let random = u32::from(keyward_runtime::ids::new().as_bytes()[15]);
    pause * 3 / 4 + pause * random / 512
}

impl Core {
    async fn test_due(&self, interval: Duration) {
        let due = match self.vault.due_tests(interval, CLAIM_KEYS).await {
            Ok(due) => due,
            Err(error) => {
                tracing::debug!(%error, "the vault does not say which keys are due for a test");
                return;
            }
        };
        let tests = futures::stream::iter(due);
        tests
            .for_each_concurrent(AT_ONCE, |id| async move { self.test_due_key(&id).await })
            .await;
    }

    /// What goes wrong here comes again with the next claim.
    async fn test_due_key(&self, id: &str) {
        let tested = async {
            let lease = self.vault.unseal_for_test(id, None).await?;
            self.test_stored(&lease).await
        };
        if let Err(error) = tested.await {
            tracing::info!(key.id = %id, %error, "a key that is due could not be tested");
        }
    }
}
