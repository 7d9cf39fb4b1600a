//! Keyward's contracts, generated from `proto/`: messages, clients and servers. No logic lives here,
//! and no message that carries a secret prints it.

mod redacted;
mod usage;

/// Custody of provider keys, identity and audit.
pub mod vault {
    /// Version 1 of the contract.
    #[allow(missing_docs, clippy::pedantic, unreachable_pub)]
    pub mod v1 {
        tonic::include_proto!("keyward.vault.v1");
    }
}

/// Planning and serving requests.
pub mod router {
    /// Version 1 of the contract.
    // A head is large and comes once for each request, a chunk is small: boxing would only cost.
    #[allow(
        missing_docs,
        clippy::pedantic,
        clippy::large_enum_variant,
        unreachable_pub
    )]
    pub mod v1 {
        tonic::include_proto!("keyward.router.v1");
    }
}

/// Usage, credits and prices.
pub mod metering {
    /// Version 1 of the contract.
    #[allow(missing_docs, clippy::pedantic, unreachable_pub)]
    pub mod v1 {
        tonic::include_proto!("keyward.metering.v1");
    }
}

/// The serialised `FileDescriptorSet` of all contracts, for reflection and for tests that walk it.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Metadata of an answer that was given before, to the same request: nothing was done again.
pub const REPLAYED: &str = "keyward-replayed";

/// The most bytes of a body in one message of `Invoke`: large enough to be rare, small enough that
/// a message stays well below gRPC's limits.
pub const BODY_CHUNK_BYTES_MAX: usize = 256 * 1024;
