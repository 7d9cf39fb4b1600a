//! Tiers: markup and terms.

use std::collections::BTreeMap;

use jiff::Timestamp;
use keyward_money::BasisPoints;

/// The tier of accounts that have no other, and of those whose tier nobody knows.
pub(crate) const DEFAULT_TIER: &str = "trial";

/// The markup where not even the default tier is known; that of `trial` as it is seeded.
const MARKUP_FALLBACK: BasisPoints = BasisPoints::new(1_500);

/// The highest markup that can be set, 100 %: more is a slip of the hand.
const MARKUP_MAX: u32 = BasisPoints::WHOLE;

/// The highest limit of tokens that can be set: what stores can keep.
const TOKENS_MAX: u64 = i64::MAX.unsigned_abs();

/// What an account's tier means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tier {
    /// Its name.
    pub(crate) name: String,
    pub(crate) terms: Terms,
    /// Counts up with every change.
    pub(crate) revision: u64,
    pub(crate) create_time: Timestamp,
    pub(crate) update_time: Timestamp,
}

/// What can be changed of a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Terms {
    /// The markup on list cost.
    pub(crate) markup: BasisPoints,
    /// Whether keys of an organisation serve its members.
    pub(crate) organization_keys: bool,
    /// The limits of accounts that have none of their own. Kept and shown, not enforced yet.
    pub(crate) limits: TierLimits,
}

/// What an account may use of the platform's own keys; an absent one does not limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TierLimits {
    pub(crate) requests_per_minute: Option<u32>,
    pub(crate) tokens_per_minute: Option<u64>,
    pub(crate) concurrency: Option<u32>,
}

/// What to change of a tier's terms; what is absent stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TermsPatch {
    pub(crate) markup: Option<BasisPoints>,
    pub(crate) organization_keys: Option<bool>,
    pub(crate) limits: Option<TierLimits>,
}

/// What is wrong with a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidTier {
    #[error("a tier's name has 1 to 63 lower-case letters, digits, dots, dashes or underscores")]
    Name,
    #[error("a markup is at most 10000 basis points")]
    Markup,
    #[error("a limit is more than zero; leave out what is not to be limited")]
    Limit,
}

impl InvalidTier {
    /// The field at fault.
    pub(crate) const fn param(self) -> &'static str {
        match self {
            Self::Name => "tier",
            Self::Markup => "markup_basis_points",
            Self::Limit => "default_limits",
        }
    }
}

impl Terms {
    /// The same with what a patch gives.
    pub(crate) fn with(self, patch: TermsPatch) -> Self {
        Self {
            markup: patch.markup.unwrap_or(self.markup),
            organization_keys: patch.organization_keys.unwrap_or(self.organization_keys),
            limits: patch.limits.unwrap_or(self.limits),
        }
    }

    fn check(self) -> Result<Self, InvalidTier> {
        let limits = &self.limits;
        if self.markup.get() > MARKUP_MAX {
            return Err(InvalidTier::Markup);
        }
        let tokens_fit = limits
            .tokens_per_minute
            .is_none_or(|tokens| (1..=TOKENS_MAX).contains(&tokens));
        let nothing = Some(0);
        if !tokens_fit || limits.requests_per_minute == nothing || limits.concurrency == nothing {
            return Err(InvalidTier::Limit);
        }
        Ok(self)
    }
}

impl Tier {
    /// A new one.
    pub(crate) fn new(name: &str, terms: Terms, now: Timestamp) -> Result<Self, InvalidTier> {
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        if !(1..=63).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(InvalidTier::Name);
        }
        Ok(Self {
            name: name.to_owned(),
            terms: terms.check()?,
            revision: 1,
            create_time: now,
            update_time: now,
        })
    }

    /// The same, changed.
    pub(crate) fn changed(&self, patch: TermsPatch, now: Timestamp) -> Result<Self, InvalidTier> {
        Ok(Self {
            terms: self.terms.with(patch).check()?,
            revision: self.revision + 1,
            update_time: now,
            ..self.clone()
        })
    }

    /// Changes with every change. A tier is never deleted, so no other will have it again.
    pub(crate) fn etag(&self) -> String {
        self.revision.to_string()
    }
}

/// All tiers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tiers(BTreeMap<String, Tier>);

impl Tiers {
    /// The tier of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Tier> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Tier> {
        self.0.values()
    }

    /// The markup of a tier. The vault assigns tiers and cannot ask which there are; one that
    /// nobody knows counts as the default one.
    pub(crate) fn markup(&self, name: &str) -> BasisPoints {
        let known = self.get(name).or_else(|| self.get(DEFAULT_TIER));
        known.map_or(MARKUP_FALLBACK, |tier| tier.terms.markup)
    }
}

impl FromIterator<Tier> for Tiers {
    fn from_iter<I: IntoIterator<Item = Tier>>(tiers: I) -> Self {
        Self(
            tiers
                .into_iter()
                .map(|tier| (tier.name.clone(), tier))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tier(name: &str, markup: u32) -> Result<Tier, InvalidTier> {
        let terms = Terms {
            markup: BasisPoints::new(markup),
            ..Terms::default()
        };
        Tier::new(name, terms, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn an_unknown_tier_counts_as_the_default_one() {
        let known = [("trial", 1_200), ("gold", 0)];
        let tiers: Tiers = known
            .map(|(name, markup)| tier(name, markup).expect("valid"))
            .into_iter()
            .collect();
        assert_eq!(tiers.markup("gold"), BasisPoints::ZERO);
        assert_eq!(tiers.markup("silver"), BasisPoints::new(1_200));
        assert_eq!(Tiers::default().markup("gold"), BasisPoints::new(1_500));
    }

    #[test]
    fn slips_of_the_hand_are_refused() {
        assert_eq!(tier("", 0), Err(InvalidTier::Name));
        assert_eq!(tier("Gold", 0), Err(InvalidTier::Name));
        assert_eq!(tier("gold", 10_001), Err(InvalidTier::Markup));
        let gold = tier("gold", 0).expect("valid");
        let patch = TermsPatch {
            limits: Some(TierLimits {
                concurrency: Some(0),
                ..TierLimits::default()
            }),
            ..TermsPatch::default()
        };
        let changed = gold.changed(patch, Timestamp::UNIX_EPOCH);
        assert_eq!(changed, Err(InvalidTier::Limit));
    }

    #[test]
    fn a_change_touches_what_it_names_and_the_etag() {
        let gold = tier("gold", 300).expect("valid");
        let patch = TermsPatch {
            organization_keys: Some(true),
            ..TermsPatch::default()
        };
        let changed = gold.changed(patch, Timestamp::MAX).expect("valid");
        assert_eq!(changed.terms.markup, gold.terms.markup);
        assert!(changed.terms.organization_keys);
        assert_ne!(changed.etag(), gold.etag());
        assert_eq!(changed.create_time, gold.create_time);
        assert_eq!(changed.update_time, Timestamp::MAX);
    }
}
