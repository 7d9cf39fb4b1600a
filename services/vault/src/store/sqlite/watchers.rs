//! Watchers of other vaults: there are none, because one process writes a file.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::SqliteStore;
use crate::store::{Stored, WatcherStore};

#[async_trait]
impl WatcherStore for SqliteStore {
    fn is_shared(&self) -> bool {
        false
    }

    async fn watchers_put(&self, _: Uuid, _: Vec<u64>) -> Stored<()> {
        Ok(())
    }

    async fn watchers_behind(&self, _: Uuid, _: u64, _: Duration) -> Stored<u32> {
        Ok(0)
    }
}
