//! The services as their callers meet them: over the generated clients, behind the authenticating
//! layer, on a store of their own.

mod accounts;
mod budgets;
mod crossing;
mod directory;
mod extensions;
mod holds;
mod key_concerns;
mod leases;
mod notices;
mod pricing;
mod proof;
mod records;
mod reports;
mod routers;
mod sums;
mod versions;
mod world;
