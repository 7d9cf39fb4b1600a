//! How long requests in flight may go on once the process stops: less than it waits for them, so that
//! what was used until then is still recorded and settled.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Tells requests when their time is over.
#[derive(Debug)]
pub(crate) struct Closing {
    stopping: CancellationToken,
    limit: Duration,
    since: Arc<OnceLock<Instant>>,
}

impl Closing {
    /// `grace` is how long the process waits for what is in flight; the last sixth of it is for the
    /// books.
    pub(crate) fn new(stopping: CancellationToken, grace: Duration) -> Self {
        Self {
            stopping,
            limit: grace * 5 / 6,
            since: Arc::default(),
        }
    }

    /// The same for one request: what waits in it takes no lock that is everybody's.
    pub(crate) fn for_request(&self) -> Self {
        Self {
            stopping: self.stopping.child_token(),
            limit: self.limit,
            since: Arc::clone(&self.since),
        }
    }

    /// Comes back when the process stops and there is no more time.
    pub(crate) async fn over(&self) {
        self.stopping.cancelled().await;
        let since = *self.since.get_or_init(Instant::now);
        tokio::time::sleep_until(since + self.limit).await;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.since
            .get()
            .is_some_and(|since| since.elapsed() >= self.limit)
    }
}
