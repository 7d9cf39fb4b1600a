//! Several vaults on one store. What another one committed is found in the change table within
//! moments, and each states how far its watchers are, so that the others can count those too.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::Core;
use super::watch::HEARTBEAT;

/// How often the change table is looked at for what others committed: often enough that their
/// watchers confirm while the call that made the change waits.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How often the others' statements are looked at while a change waits for them.
const COUNT_EVERY: Duration = Duration::from_millis(20);

/// Follows the other vaults of a shared store, until the process stops.
pub(crate) async fn follow(core: Arc<Core>) {
    if !core.store.is_shared() {
        return;
    }
    let stopping = core.stopping.clone();
    let following = async {
        tokio::join!(look(&core), state(&core));
    };
    stopping.run_until_cancelled(following).await;
}

/// Wakes this vault's watchers for changes of others. That the store does not answer they notice by
/// themselves.
async fn look(core: &Core) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Ok(head) = core.store.change_head().await {
            core.hub.announce(head);
        }
    }
}

/// States how far this vault's watchers are: with every confirmation, and often enough to be counted.
async fn state(core: &Core) {
    let mut progress = core.hub.progress();
    let mut ticks = tokio::time::interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Ok(()) = progress.changed() => {}
        }
        let stated = core.store.watchers_put(core.vault_id, core.hub.standing());
        if let Err(error) = stated.await {
            tracing::warn!(%error, "other vaults cannot be told how far the routers here are");
        }
    }
}

impl Core {
    /// Waits until the watchers of other vaults have confirmed a change, at most `wait`; returns how
    /// many have not, or one where that cannot be found out.
    pub(super) async fn laggards_elsewhere(&self, sequence: u64, wait: Duration) -> u32 {
        if !self.store.is_shared() {
            return 0;
        }
        let until = Instant::now() + wait;
        // Who has stated nothing for this long hears nothing either, and has stopped.
        let age = self.hub.bound() + 2 * HEARTBEAT;
        loop {
            let behind = self
                .store
                .watchers_behind(self.vault_id, sequence, age)
                .await;
            match behind {
                Ok(0) => return 0,
                Ok(behind) if Instant::now() >= until => return behind,
                Ok(_) => tokio::time::sleep(COUNT_EVERY).await,
                Err(error) => {
                    tracing::warn!(%error, "routers of other vaults cannot be counted");
                    return 1;
                }
            }
        }
    }
}
