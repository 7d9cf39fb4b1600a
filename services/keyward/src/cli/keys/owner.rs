//! Whose key.

use clap::{Args, ValueEnum};

use crate::cli::client::Request;

/// Whose key; the caller's own where nothing is said.
#[derive(Debug, Default, Args)]
pub(super) struct KeyOwner {
    /// Whose: your own, a project's, an organisation's, or the platform's
    #[arg(long, value_enum)]
    owner: Option<OwnerKind>,
    /// The user
    #[arg(long)]
    user: Option<String>,
    /// The organisation; the one that you act in by default
    #[arg(long)]
    organization: Option<String>,
    /// The project
    #[arg(long)]
    project: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OwnerKind {
    User,
    Project,
    Organization,
    System,
}

impl OwnerKind {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Organization => "organization",
            Self::System => "system",
        }
    }
}

impl KeyOwner {
    /// As parameters of a request.
    pub(super) fn query(&self, request: Request) -> Request {
        request
            .query("owner", self.owner.map(OwnerKind::name))
            .query("user", self.user.as_deref())
            .query("organization", self.organization.as_deref())
            .query("project", self.project.as_deref())
    }
}
