//! The schema's steps.

use keyward_storage::Migration;

/// In order; a released one never changes.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_metering.sql",
        sql: include_str!("0001_metering.sql"),
    },
    Migration {
        name: "0002_sums.sql",
        sql: include_str!("0002_sums.sql"),
    },
    Migration {
        name: "0003_tiers.sql",
        sql: include_str!("0003_tiers.sql"),
    },
    Migration {
        name: "0004_ledger.sql",
        sql: include_str!("0004_ledger.sql"),
    },
    Migration {
        name: "0005_notices.sql",
        sql: include_str!("0005_notices.sql"),
    },
    Migration {
        name: "0006_budgets.sql",
        sql: include_str!("0006_budgets.sql"),
    },
    Migration {
        name: "0007_carried.sql",
        sql: include_str!("0007_carried.sql"),
    },
    Migration {
        name: "0008_days.sql",
        sql: include_str!("0008_days.sql"),
    },
    Migration {
        name: "0009_leases.sql",
        sql: include_str!("0009_leases.sql"),
    },
    Migration {
        name: "0010_forgotten.sql",
        sql: include_str!("0010_forgotten.sql"),
    },
    Migration {
        name: "0011_prices.sql",
        sql: include_str!("0011_prices.sql"),
    },
    Migration {
        name: "0012_dropped.sql",
        sql: include_str!("0012_dropped.sql"),
    },
];
