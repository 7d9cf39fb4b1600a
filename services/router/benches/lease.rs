//! What a hold from a lease and its settle cost in memory: priced, noted, held, charged, told.

use std::hint::black_box;

use criterion::Criterion;
use keyward_money::{BasisPoints, Charge, MoneyError, Nanos, Prices, Usage};
use keyward_router::domain::lease::{Demand, Lease, Tickets};

/// More than all of them hold.
const LENT: Nanos = Nanos::new(1 << 60);

fn main() -> Result<(), MoneyError> {
    let mut criterion = Criterion::default().configure_from_args();
    let prices = Prices::per_million(2_500_000_000, 10_000_000_000);
    let usage = |output_tokens| Usage {
        input_tokens: 1_000,
        output_tokens,
        ..Usage::default()
    };
    let markup = BasisPoints::new(500);
    let charge = |usage: &Usage| Charge::in_service_tier(usage, &prices, "", markup);
    charge(&usage(500))?;
    let lease = Lease::new("lease".to_owned(), "tier".to_owned(), markup, Vec::new());
    lease.granted(LENT, u64::MAX);
    let (mut demand, mut tickets) = (Demand::default(), Tickets::default());
    criterion.bench_function("hold and settle under a lease", |bencher| {
        bencher.iter(|| {
            let held = charge(black_box(&usage(500))).map(|charge| charge.charge);
            let held = held.unwrap_or_default();
            demand.note(held, 0);
            let is_held = lease.hold(held, 0);
            lease.telling();
            let ticket = tickets.begin();
            let used = charge(black_box(&usage(200))).map(|charge| charge.charge);
            lease.settle(held, used.unwrap_or_default());
            tickets.end(ticket);
            lease.told();
            is_held
        });
    });
    criterion.final_summary();
    Ok(())
}
