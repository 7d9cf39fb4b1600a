//! Prints how long the catalogue takes to load and how much memory it keeps.
//!
//! `cargo run --release -p keyward-catalog --example load`

use std::io::Write as _;
use std::time::Instant;

use keyward_catalog::Catalog;

/// How often it is loaded; the quickest counts, the others were disturbed.
const TIMES: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let before = resident_kib();
    let first = Catalog::embedded()?;
    let after = resident_kib();
    let mut quickest = std::time::Duration::MAX;
    for _ in 0..TIMES {
        let start = Instant::now();
        let catalog = Catalog::embedded()?;
        quickest = quickest.min(start.elapsed());
        drop(catalog);
    }
    let models = first.all_models().count();
    let offers: usize = first.all_models().map(|model| model.offers.len()).sum();
    writeln!(
        std::io::stdout(),
        "{models} models, {offers} offers: loaded in {quickest:?}; {} KiB more are resident",
        after.saturating_sub(before)
    )?;
    Ok(())
}

/// What the process has in memory, in KiB; 0 where the system does not say.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok())
        .unwrap_or(0)
}
