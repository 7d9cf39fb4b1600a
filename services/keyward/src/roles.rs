//! The roles that a process can have.

use clap::ValueEnum;
use keyward_auth::Peer;

/// One of the four parts of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// HTTP for applications and management.
    Edge,
    /// Plans and serves requests.
    Router,
    /// Keys, identity, audit.
    Vault,
    /// Credits, usage, prices.
    Metering,
}

impl Role {
    /// Its name, as on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Router => "router",
            Self::Vault => "vault",
            Self::Metering => "metering",
        }
    }

    /// Whether it has stored provider keys in its memory: only the vault, which opens them, and the
    /// router, which uses them.
    fn has_stored_keys(self) -> bool {
        match self {
            Self::Vault | Self::Router => true,
            Self::Edge | Self::Metering => false,
        }
    }

    /// The same, as other roles see it.
    pub(crate) fn peer(self) -> Peer {
        match self {
            Self::Edge => Peer::Edge,
            Self::Router => Peer::Router,
            Self::Vault => Peer::Vault,
            Self::Metering => Peer::Metering,
        }
    }
}

/// The roles of this process.
#[derive(Debug, Clone)]
pub(crate) struct Roles(Vec<Role>);

impl Roles {
    /// Those named; all where none is.
    pub(crate) fn of(named: &[Role]) -> Self {
        match named {
            [] => Self(Role::value_variants().to_vec()),
            named => Self(named.to_vec()),
        }
    }

    pub(crate) fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// Those that run here, each once.
    pub(crate) fn all(&self) -> Vec<Role> {
        let all = Role::value_variants().iter().copied();
        all.filter(|role| self.has(*role)).collect()
    }

    /// The names of the roles.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.all().into_iter().map(Role::name).collect()
    }

    /// Whether stored provider keys are in the memory of this process.
    pub(crate) fn have_stored_keys(&self) -> bool {
        self.0.iter().any(|role| role.has_stored_keys())
    }

    /// Whether this process serves gRPC.
    pub(crate) fn serves_grpc(&self) -> bool {
        [Role::Router, Role::Vault, Role::Metering]
            .into_iter()
            .any(|role| self.has(role))
    }

    /// Whether the vault runs here and nothing else does.
    pub(crate) fn is_vault_alone(&self) -> bool {
        self.0.iter().all(|role| *role == Role::Vault)
    }
}
