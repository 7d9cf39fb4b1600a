//! Who calls: principals, access keys, grants, the roles that call each other, and the layer that
//! authenticates all of it. It holds no store and decides nothing about single resources.

pub mod access_key;
mod authenticator;
mod caller;
mod connection;
pub mod grant;
mod layer;
pub mod methods;
pub mod peer;
mod principal;
mod refused;

pub use authenticator::{Authenticator, CredentialExchanger, Exchanged, RemoteExchanger};
pub use caller::{Caller, caller, caller_opt, with_grant, with_grant_token};
pub use connection::{Connection, Introduction, InvalidPeer, LocalServices};
pub use grant::{GrantSigner, GrantToken, GrantVerifier};
pub use layer::{AuthLayer, AuthService};
pub use peer::{Instance, Peer, PeerTokens, instance};
pub use principal::{
    AccessKeyLimits, Account, OrganizationRole, Principal, Scope, Scopes, Subject,
};
pub use refused::{RefusedPeer, RefusedPeers};

/// Metadata names that services use among themselves. The edge never copies them from a caller.
pub mod metadata {
    /// A caller's credential, as `Bearer …`.
    pub const AUTHORIZATION: &str = "authorization";
    /// The organisation that a caller acts in.
    pub const ORGANIZATION: &str = "x-keyward-organization";
    /// A grant, between services.
    pub const GRANT: &str = "keyward-grant";
    /// The calling role and its token, between processes on loopback.
    pub const PEER: &str = "keyward-peer";
}
