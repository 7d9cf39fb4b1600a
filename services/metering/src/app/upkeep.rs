//! What the store needs now and then: room for the days that come, and none for those long past.

use std::time::Duration;

use keyward_runtime::{error, time};
use tokio_util::sync::CancellationToken;

use super::App;

/// How often. Room is made days ahead, so that some of these may fail.
const INTERVAL: Duration = Duration::from_hours(1);

impl App {
    /// Keeps the store up until told to stop; opening it has done so once.
    pub(crate) async fn keep_up_until(&self, stop: CancellationToken) {
        while stop
            .run_until_cancelled(tokio::time::sleep(INTERVAL))
            .await
            .is_some()
        {
            if let Err(fault) = self.store.keep_up(time::now()).await {
                tracing::error!(error.chain = %error::chain(&fault), "cannot keep the store up");
            }
        }
    }
}
