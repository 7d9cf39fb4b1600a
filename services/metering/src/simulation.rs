//! Whole histories, made from a seed: routers that place holds, serve, crash and tell again over a
//! network that loses, repeats and reorders, and a metering whose commits fail or are not heard of,
//! while clocks jump. What must be true at the end is checked for each.
//!
//! `KEYWARD_TEST_SEEDS` says how many seeds are tried; a failure names its seed, and
//! `KEYWARD_TEST_SEED` tries that one alone.

mod port;
mod router;
mod world;

use port::{Direct, Port, Written};
use world::World;

/// How many seeds a run of the tests tries.
const SEEDS: u64 = 2_000;

#[expect(clippy::disallowed_methods, reason = "a run by hand may ask for more")]
fn seeds() -> Box<dyn Iterator<Item = u64>> {
    let number = |name| {
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().expect("a number"))
    };
    match number("KEYWARD_TEST_SEED") {
        Some(seed) => Box::new(std::iter::once(seed)),
        None => Box::new(0..number("KEYWARD_TEST_SEEDS").unwrap_or(SEEDS)),
    }
}

async fn run(seed: u64, port: impl Port) {
    let mut world = World::new(seed, port);
    world.live().await;
    world.settle_all().await;
    world.check();
}

/// On the rules alone, which also say at each step whether they were right.
#[test]
fn whatever_happens_each_use_is_charged_once_by_the_rules() {
    let runtime = runtime();
    for seed in seeds() {
        runtime.block_on(run(seed, Direct::new(seed)));
    }
}

/// Through the writers, over a store that fails.
#[test]
fn whatever_happens_each_use_is_charged_once_by_the_writer() {
    for seed in seeds() {
        // One for each, so that nothing of the one before is left in it.
        runtime().block_on(async { run(seed, Written::new(seed)).await });
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
}
