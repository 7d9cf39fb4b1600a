//! Arguments that several commands share.

use clap::Args;

use super::client::Request;
use super::exit::Failure;

/// Whose things are meant.
#[derive(Debug, Default, Args)]
pub(super) struct Whose {
    /// A user's; your own by default
    #[arg(long)]
    pub(super) user: Option<String>,
    /// An organisation's
    #[arg(long)]
    pub(super) organization: Option<String>,
    /// The same by its full name: users/bob, organizations/acme
    #[arg(long)]
    pub(super) account: Option<String>,
}

impl Whose {
    /// As parameters of a request.
    pub(super) fn query(&self, request: Request) -> Request {
        request
            .query("user", self.user.as_deref())
            .query("organization", self.organization.as_deref())
            .query("account", self.account.as_deref())
    }

    /// As one name; `None` for whom the gateway takes the caller to act for.
    pub(super) fn name(&self) -> Result<Option<String>, Failure> {
        match (&self.user, &self.organization, &self.account) {
            (None, None, None) => Ok(None),
            (Some(user), None, None) => Ok(Some(format!("users/{user}"))),
            (None, Some(organization), None) => Ok(Some(format!("organizations/{organization}"))),
            (None, None, Some(account)) => Ok(Some(account.clone())),
            _ => Err(Failure::usage("whose is it?")
                .hint("Give only one of `--user`, `--organization` and `--account`.")),
        }
    }
}

/// Who holds projects or access keys.
#[derive(Debug, Default, Args)]
pub(super) struct Holder {
    /// A user's; your own by default
    #[arg(long)]
    pub(super) user: Option<String>,
    /// An organisation's
    #[arg(long)]
    pub(super) organization: Option<String>,
}

impl Holder {
    /// As parameters of a request.
    pub(super) fn query(&self, request: Request) -> Request {
        request
            .query("user", self.user.as_deref())
            .query("organization", self.organization.as_deref())
    }
}

/// How much of a list.
#[derive(Debug, Default, Args)]
pub(super) struct Limit {
    /// Show only so many, the newest
    #[arg(long, value_name = "COUNT")]
    pub(super) limit: Option<usize>,
}

/// How a change is made.
#[derive(Debug, Default, Clone, Copy, Args)]
pub(super) struct DryRun {
    /// Show what would be sent, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

/// How something is taken away.
#[derive(Debug, Default, Clone, Copy, Args)]
pub(super) struct Removal {
    /// Do not ask first
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Show what would be sent, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}
