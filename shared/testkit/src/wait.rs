//! Waiting for a condition, with a deadline: never for a while and luck.

use std::future::Future;
use std::time::{Duration, Instant};

/// The longest that a condition may take on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(10);

/// Asks again and again until there is something, and gives it. Panics after [`DEADLINE`].
pub async fn for_some<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Asks again and again until it is so. Panics after [`DEADLINE`].
pub async fn until<F>(what: &str, mut ask: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    for_some(what, || {
        let asked = ask();
        async move { asked.await.then_some(()) }
    })
    .await;
}
