//! TLS between roles, and at the edge: certificates from files, who they say that they are, and what
//! follows when the files change. rustls with ring, named wherever it is used; keys of sessions are
//! never logged, and sessions never resumed, so that every connection is verified anew.

mod accept;
mod certificates;
mod connect;
mod connections;
mod identity;
mod material;
mod meters;
mod socket;
mod verify;

pub use accept::{Acceptor, Clients, incoming};
pub use certificates::Certificates;
pub use connect::Connector;
pub use identity::{Identity, IdentityError};
pub use material::{Files, Material, TlsError};
pub use meters::TlsMeters;
pub use socket::{PeerCertificate, TlsPeer, TlsSocket};

/// The protocol of gRPC, as negotiated in the handshake.
const H2: &[u8] = b"h2";

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
