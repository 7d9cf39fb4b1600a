//! Whether a provider takes a key: what is asked of which provider, and what its answers mean. An
//! answer that is about something else than the key says nothing of it, and never marks it.

mod answers;
mod calls;

pub(crate) use answers::{Answer, Told, read};
pub(crate) use calls::{TestPlan, Weight, plan};

use super::failure::Failure;

/// The most models that are told: enough to recognise an account by, far from a catalogue.
pub(crate) const MODELS_MAX: usize = 200;

/// What was found about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It is accepted.
    Accepted,
    /// It is refused.
    Rejected,
    /// It has no credit left.
    NoCredit,
    /// Too much was asked with it lately.
    RateLimited,
    /// The provider could not be reached.
    Unreachable,
    /// It did not answer in time.
    TimedOut,
    /// It failed.
    ProviderFailed,
    /// Its answer is about something else.
    NotTold,
}

impl Finding {
    /// What an answer that is no success tells.
    pub(crate) fn of(failure: Failure) -> Self {
        match failure {
            Failure::KeyRejected => Self::Rejected,
            Failure::QuotaExhausted => Self::NoCredit,
            Failure::RateLimited { .. } => Self::RateLimited,
            Failure::Unreachable => Self::Unreachable,
            Failure::TimedOut => Self::TimedOut,
            Failure::Broken | Failure::Overloaded => Self::ProviderFailed,
            Failure::ModelAbsent | Failure::Caller | Failure::Stopping => Self::NotTold,
        }
    }

    /// In the words that people look for.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Accepted => "API key is valid",
            Self::Rejected => "Invalid API key",
            Self::NoCredit => "Insufficient credits",
            Self::RateLimited => "Rate limit exceeded",
            Self::Unreachable => "The provider could not be reached; nothing is known of the key",
            Self::TimedOut => "The provider did not answer in time; nothing is known of the key",
            Self::ProviderFailed => "The provider failed; nothing is known of the key",
            Self::NotTold => "The provider's answer says nothing about the key",
        }
    }
}

/// What a provider says is left to spend, in billionths of a currency's unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Balance {
    /// What is left.
    pub(crate) amount_nanos: i64,
    /// Of which currency.
    pub(crate) currency: String,
    /// What the key alone may spend in all.
    pub(crate) limit_nanos: Option<i64>,
}

/// What a test brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// What was found.
    pub(crate) finding: Finding,
    /// The provider's own words, not yet redacted; empty where it said nothing.
    pub(crate) said: String,
    /// Models that the key reaches, by the provider's names.
    pub(crate) models: Vec<String>,
    /// What is left to spend.
    pub(crate) balance: Option<Balance>,
}

impl Verdict {
    /// Nothing but a finding.
    pub(crate) fn bare(finding: Finding, said: String) -> Self {
        Self {
            finding,
            said,
            models: Vec::new(),
            balance: None,
        }
    }

    /// With what a further answer tells of a key that is accepted.
    pub(crate) fn and(&mut self, told: Told) {
        if self.models.is_empty() {
            self.models = told.models;
        }
        self.balance = told.balance.or(self.balance.take());
        if told.is_spent && self.finding == Finding::Accepted {
            self.finding = Finding::NoCredit;
        }
    }
}

#[cfg(test)]
mod tests;
