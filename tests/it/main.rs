//! The whole system from outside: the real binary in one process and in four, real HTTP and gRPC,
//! upstreams that do as they are told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking, also outside of test functions"
)]

mod arithmetic;
mod atom;
mod audit;
mod bad_input;
mod books;
mod budgets;
mod by_hand;
mod cache;
mod canary;
mod certificates;
mod concurrency;
mod damaged;
mod doctor;
mod drain;
mod endpoints;
mod explained;
mod failover;
mod fallback;
mod grpc;
mod hardening;
mod hedging;
mod hostile;
mod idempotency;
mod image_prices;
mod imports;
mod inline;
mod key_entry;
mod key_filters;
mod key_tests;
mod keyless;
mod known;
mod lifecycle;
mod limits;
mod management;
mod memory;
mod metadata;
mod metering_store_away;
mod metrics;
mod notices;
mod odd_input;
mod onlookers;
mod organizations;
mod outages;
mod passthrough;
mod policies;
mod postgres;
mod precedence;
mod receipts;
mod repository;
mod revoked;
mod routers;
mod sealed;
mod served;
mod settings;
mod spool;
mod start;
mod streams;
mod system;
mod tenants;
mod terminal;
mod traces;
mod translation;
mod worked_examples;
