//! Counts in a Redis that several processes share: a script for each step, so that each is done whole
//! or not at all, by the server's own time. Nothing is waited for longer than a request can bear.

pub(crate) mod connect;

use std::future::Future;
use std::time::Duration;

use ::redis::aio::ConnectionManager;
use ::redis::{Client, RedisResult, Script, ScriptInvocation};
use async_trait::async_trait;
use parking_lot::Mutex;

use crate::clock::Clock;
use crate::counter::{Counter, Kind, Scope};
use crate::gcra::{AHEAD_MICROS_MAX, Arrival, PERIOD_MICROS, Rate};
use crate::limiter::{Charge, Charged, Correction, Limiter, SlotAsk, Taken};
use crate::slots::LIFETIME_MICROS;
pub use connect::RedisConfig;

/// Why Redis did not count.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// The URL or the certificates cannot be used.
    #[error("`redis.url` cannot be used")]
    Unusable(#[source] ::redis::RedisError),
    /// The file of certificates cannot be read.
    #[error("the certificates for Redis cannot be read")]
    Certificates(#[source] std::io::Error),
    /// It did not answer in time.
    #[error("Redis did not answer within {} ms", .0.as_millis())]
    Late(Duration),
    /// It failed.
    #[error("Redis failed")]
    Failed(#[from] ::redis::RedisError),
    /// It answered with something else than the script does.
    #[error("Redis answered with something unexpected")]
    Unexpected,
}

/// The limiter.
pub struct RedisLimiter {
    client: Client,
    connection: Mutex<ConnectionManager>,
    scripts: Scripts,
    timeout: Duration,
    clock: Clock,
}

struct Scripts {
    charge: Script,
    correct: Script,
    take: Script,
    renew: Script,
}

impl std::fmt::Debug for RedisLimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisLimiter").finish_non_exhaustive()
    }
}

/// A connection to the same Redis for what else is shared there, made when it is first used.
pub fn redis_connection(config: &RedisConfig) -> Result<ConnectionManager, RedisError> {
    connect::lazily(&connect::client(config)?)
}

impl RedisLimiter {
    /// Sets it up, in a runtime; it connects when it is first used.
    pub fn new(config: &RedisConfig) -> Result<Self, RedisError> {
        Self::with_clock(config, Clock::Own)
    }

    pub(crate) fn with_clock(config: &RedisConfig, clock: Clock) -> Result<Self, RedisError> {
        let client = connect::client(config)?;
        let connection = Mutex::new(connect::lazily(&client)?);
        let scripts = Scripts {
            charge: Script::new(include_str!("redis/charge.lua")),
            correct: Script::new(include_str!("redis/correct.lua")),
            take: Script::new(include_str!("redis/take.lua")),
            renew: Script::new(include_str!("redis/renew.lua")),
        };
        Ok(Self {
            client,
            connection,
            scripts,
            timeout: config.timeout,
            clock,
        })
    }

    /// Whether it counts: a step is done on a counter of nobody's.
    pub async fn probe(&self) -> Result<(), RedisError> {
        let counter = Counter {
            account: "probe".to_owned(),
            scope: Scope::User,
            id: "probe".to_owned(),
            kind: Kind::Requests,
        };
        let charge = Charge {
            counter,
            rate: Rate::per_minute(std::num::NonZeroU64::MIN),
            cost: 0,
        };
        self.charge(&[charge]).await.map(drop)
    }

    /// Connects anew, for as long as that takes: a connection whose other end vanished without a word
    /// never fails by itself.
    pub async fn connect(&self) -> Result<(), RedisError> {
        let connection = connect::patiently(&self.client).await?;
        *self.connection.lock() = connection;
        Ok(())
    }

    fn time(&self) -> u64 {
        self.clock.set_micros().unwrap_or(0)
    }

    async fn run(&self, step: &ScriptInvocation<'_>) -> Result<Vec<u64>, RedisError> {
        let mut connection = self.connection();
        self.in_time(step.invoke_async(&mut connection)).await
    }

    fn connection(&self) -> ConnectionManager {
        self.connection.lock().clone()
    }

    /// Waits for a step as long as a request can.
    async fn in_time<T>(
        &self,
        step: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, RedisError> {
        match tokio::time::timeout(self.timeout, step).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(RedisError::Late(self.timeout)),
        }
    }
}

#[async_trait]
impl Limiter for RedisLimiter {
    type Error = RedisError;

    async fn charge(&self, charges: &[Charge]) -> Result<Charged, RedisError> {
        let mut step = self.scripts.charge.prepare_invoke();
        step.arg(self.time())
            .arg(PERIOD_MICROS)
            .arg(AHEAD_MICROS_MAX);
        for Charge {
            counter,
            rate,
            cost,
        } in charges
        {
            // More than the limit passes no more than one unit more, which a double holds.
            let span = rate.span((*cost).min(rate.limit() + 1));
            step.key(counter.to_string());
            step.arg(rate.limit()).arg(span.micros).arg(span.parts);
        }
        charged(&self.run(&step).await?, charges.len())
    }

    async fn correct(&self, corrections: &[Correction]) -> Result<(), RedisError> {
        let mut step = self.scripts.correct.prepare_invoke();
        step.arg(self.time()).arg(AHEAD_MICROS_MAX);
        for correction in corrections {
            let Correction {
                rate,
                charged,
                used,
                ..
            } = correction;
            let way = if used > charged { 1 } else { -1 };
            let span = rate.span(used.abs_diff(*charged));
            step.key(correction.counter.to_string());
            step.arg(rate.limit())
                .arg(way)
                .arg(span.micros)
                .arg(span.parts);
        }
        let mut connection = self.connection();
        self.in_time(step.invoke_async::<()>(&mut connection)).await
    }

    async fn take(&self, slots: &[SlotAsk], holder: &str) -> Result<Taken, RedisError> {
        let mut step = self.scripts.take.prepare_invoke();
        step.arg(self.time()).arg(LIFETIME_MICROS).arg(holder);
        for slot in slots {
            step.key(slot.counter.to_string()).arg(slot.limit);
        }
        let mut connection = self.connection();
        let full: usize = self.in_time(step.invoke_async(&mut connection)).await?;
        Ok(full.checked_sub(1).map_or(Taken::All, Taken::Full))
    }

    async fn renew(&self, counter: &Counter, holders: &[String]) -> Result<(), RedisError> {
        let mut step = self.scripts.renew.prepare_invoke();
        step.key(counter.to_string());
        step.arg(self.time()).arg(LIFETIME_MICROS).arg(holders);
        let mut connection = self.connection();
        self.in_time(step.invoke_async::<()>(&mut connection)).await
    }

    async fn release(&self, counters: &[Counter], holder: &str) -> Result<(), RedisError> {
        if counters.is_empty() {
            return Ok(());
        }
        let mut freed = ::redis::pipe();
        for counter in counters {
            freed.zrem(counter.to_string(), holder).ignore();
        }
        let mut connection = self.connection();
        self.in_time(freed.exec_async(&mut connection)).await
    }
}

/// Reads what the script answers.
fn charged(answer: &[u64], count: usize) -> Result<Charged, RedisError> {
    let [admitted, now, figures @ ..] = answer else {
        return Err(RedisError::Unexpected);
    };
    let arrivals = figures.chunks_exact(2).map(|pair| Arrival {
        micros: pair[0],
        parts: pair[1],
    });
    let arrivals: Vec<Arrival> = arrivals.collect();
    match arrivals.len() == count {
        true => Ok(Charged {
            admitted: *admitted == 1,
            now: *now,
            arrivals,
        }),
        false => Err(RedisError::Unexpected),
    }
}
