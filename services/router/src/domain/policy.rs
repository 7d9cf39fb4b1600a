//! What owners allow of routing. An organisation, a project and a user may have a policy each; those
//! that concern a request lie in layers, the broadest first, and each can only narrow what the ones
//! before it allow.

mod contract;
mod hours;
mod layers;
mod named;
mod owner;
mod pattern;
mod rule;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use keyward_money::Nanos;

pub use contract::{Misfit, changed_members, check};
pub use hours::{Hours, Weekdays};
pub use layers::{Layer, Layers, Operator};
pub use named::Named;
pub use owner::{OwnerKind, PolicyOwner};
pub use pattern::{Access, Pattern};
pub use rule::{Match, Rule, RuleFacts, Steer};

use crate::domain::task::Task;

/// Which of a caller's own keys goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prefer {
    /// The one for OpenRouter.
    #[default]
    OpenRouter,
    /// The provider's own.
    Provider,
}

/// Whether the keys of users serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnKeys {
    /// They do.
    #[default]
    Allowed,
    /// They do not, neither stored nor sent with a request: those of the project and the organisation
    /// do, and credits.
    Forbidden,
    /// Some key of the caller's own has to serve, its project's or organisation's included.
    Required,
}

/// Whose keys go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeysFirst {
    /// The user's, then the project's, then the organisation's.
    #[default]
    Own,
    /// The organisation's, then the project's, then the user's.
    Organization,
}

/// What may serve at most where the first key fails; each allows what those before it do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fallback {
    /// Nothing.
    None,
    /// Further keys of the caller's own.
    OwnKeys,
    /// Own keys, then credits.
    Credits,
}

/// Whose policy it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The settings.
    Operator,
    /// An organisation's.
    Organization,
    /// A project's.
    Project,
    /// A user's.
    User,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Operator => "the platform's policy",
            Self::Organization => "the organisation's policy",
            Self::Project => "the project's policy",
            Self::User => "your policy",
        })
    }
}

/// Whether answers are stored and given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caching {
    /// Whether they are where the request does not say; nothing overrules a no.
    pub enabled: bool,
    /// For how long; the platform's time where absent.
    pub lifetime: Option<Duration>,
}

/// What one owner allows. The default allows everything that broader policies do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    /// Which of the own keys goes first; the broader policy's word where absent.
    pub prefer: Option<Prefer>,
    /// Whether the keys of users serve.
    pub own_keys: OwnKeys,
    /// Whose keys go first; the narrower policy's word where absent.
    pub keys_first: Option<KeysFirst>,
    /// What may serve at most where the first key fails.
    pub fallback: Option<Fallback>,
    /// The most that a fallback to credits may cost.
    pub fallback_max_charge: Option<Nanos>,
    /// Whether credits are never spent.
    pub forbids_credits: bool,
    /// The most that any request may cost in credits.
    pub max_charge: Option<Nanos>,
    /// Which providers may be called.
    pub providers: Access,
    /// Which models may be named.
    pub models: Access,
    /// Names of its own for models.
    pub aliases: BTreeMap<String, String>,
    /// The models for a task, the best first, in place of the shipped ones.
    pub tasks: BTreeMap<Task, Vec<String>>,
    /// What holds for some requests only.
    pub rules: Vec<Rule>,
    /// Whether answers are stored; the broader policy's word where absent.
    pub caching: Option<Caching>,
}
