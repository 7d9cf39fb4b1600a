//! The router: decides whose key serves a request, calls the provider and streams the answer back.
//! It never stores a provider key, and holds one only as long as its lease.

// Until the use cases that stand on them are in.
#![allow(dead_code)]

pub mod domain;
mod sandbox;
