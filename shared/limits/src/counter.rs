//! What is counted, and for whom.

use std::fmt;

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The access key's own.
    AccessKey,
    /// The user's, by its tier.
    User,
    /// The organisation's, by its tier.
    Organization,
}

impl Scope {
    /// Its name in answers, metrics and keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessKey => "access_key",
            Self::User => "user",
            Self::Organization => "organization",
        }
    }

    /// As people read it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AccessKey => "access key",
            Self::User => "user",
            Self::Organization => "organization",
        }
    }
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Requests a minute.
    Requests,
    /// Tokens a minute.
    Tokens,
    /// Requests at one time.
    Concurrency,
}

impl Kind {
    /// Its name in metrics and keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Concurrency => "concurrency",
        }
    }

    /// As people read it, after a number.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Requests => "requests a minute",
            Self::Tokens => "tokens a minute",
            Self::Concurrency => "requests at one time",
        }
    }
}

/// One counter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Counter {
    /// The internal id of who pays. All counters of one call have the same.
    pub account: String,
    /// Whose limit it is.
    pub scope: Scope,
    /// Their id.
    pub id: String,
    /// What it counts.
    pub kind: Kind,
}

/// The counter's key in Redis. What stands in braces says where a cluster keeps it: all that one
/// script touches is kept together.
impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scope, kind) = (self.scope.as_str(), self.kind.as_str());
        write!(
            f,
            "keyward:limits:{{{}}}:{scope}:{}:{kind}",
            self.account, self.id
        )
    }
}
