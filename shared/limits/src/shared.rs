//! The Redis that is shared, and whether it is there: it is asked as long as it answers, and when it
//! does not, it is tried in the background until it does again.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prometheus_client::metrics::gauge::Gauge;

use crate::held::Held;
use crate::redis::{RedisError, RedisLimiter};

/// The shared limiter.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) redis: RedisLimiter,
    pub(crate) held: Arc<Held>,
    /// How many processes share the limits, while each is by itself.
    pub(crate) processes: NonZeroU64,
    is_away: AtomicBool,
    away: Gauge,
}

impl Shared {
    pub(crate) fn new(redis: RedisLimiter, processes: NonZeroU64, away: Gauge) -> Self {
        Self {
            redis,
            held: Arc::default(),
            processes,
            is_away: AtomicBool::new(false),
            away,
        }
    }

    pub(crate) fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// It did not count.
    pub(crate) fn lost(&self, error: &RedisError) {
        if !self.is_away.swap(true, Ordering::Relaxed) {
            self.away.set(1);
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(
                %error,
                cause = cause.as_deref().unwrap_or_default(),
                "limits are counted by this process alone until Redis counts again"
            );
        }
    }

    /// Tries it, if it is away.
    pub(crate) async fn try_again(&self) {
        if !self.is_away() {
            return;
        }
        match self.connect_and_probe().await {
            Ok(()) => {
                self.is_away.store(false, Ordering::Relaxed);
                self.away.set(0);
                tracing::info!("Redis counts limits again");
            }
            Err(error) => tracing::debug!(%error, "Redis is still away"),
        }
    }

    /// Connects before any request has to wait for it.
    pub(crate) async fn begin(&self) {
        if let Err(error) = self.connect_and_probe().await {
            self.lost(&error);
        }
    }

    async fn connect_and_probe(&self) -> Result<(), RedisError> {
        self.redis.connect().await?;
        self.redis.probe().await
    }
}
