//! Tiers: markup and terms.

use std::collections::BTreeMap;

use keyward_money::BasisPoints;

/// The tier of accounts that have no other, and of those whose tier nobody knows.
pub(crate) const DEFAULT_TIER: &str = "trial";

/// The markup where not even the default tier is known; that of `trial` as it is seeded.
const MARKUP_FALLBACK: BasisPoints = BasisPoints::new(1_500);

/// The highest markup that can be set, 100 %: more is a slip of the hand.
const MARKUP_MAX: u32 = BasisPoints::WHOLE;

/// What an account's tier means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tier {
    /// Its name.
    pub(crate) name: String,
    /// The markup on list cost.
    pub(crate) markup: BasisPoints,
    /// Whether keys of an organisation serve its members.
    pub(crate) organization_keys: bool,
}

/// What is wrong with a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidTier {
    #[error("a tier's name has 1 to 63 lower-case letters, digits, dots, dashes or underscores")]
    Name,
    #[error("a markup is at most 10000 basis points")]
    Markup,
}

impl Tier {
    pub(crate) fn new(
        name: &str,
        markup_basis_points: u32,
        organization_keys: bool,
    ) -> Result<Self, InvalidTier> {
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        if !(1..=63).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(InvalidTier::Name);
        }
        if markup_basis_points > MARKUP_MAX {
            return Err(InvalidTier::Markup);
        }
        Ok(Self {
            name: name.to_owned(),
            markup: BasisPoints::new(markup_basis_points),
            organization_keys,
        })
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
        known.map_or(MARKUP_FALLBACK, |tier| tier.markup)
    }

    /// The same with one of them made or changed.
    #[must_use]
    pub(crate) fn with(&self, tier: Tier) -> Self {
        let mut tiers = self.0.clone();
        tiers.insert(tier.name.clone(), tier);
        Self(tiers)
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

    #[test]
    fn an_unknown_tier_counts_as_the_default_one() {
        let trial = Tier::new("trial", 1_200, false).expect("valid");
        let tiers: Tiers = [trial, Tier::new("gold", 0, true).expect("valid")]
            .into_iter()
            .collect();
        assert_eq!(tiers.markup("gold"), BasisPoints::ZERO);
        assert_eq!(tiers.markup("silver"), BasisPoints::new(1_200));
        assert_eq!(Tiers::default().markup("gold"), BasisPoints::new(1_500));
    }

    #[test]
    fn slips_of_the_hand_are_refused() {
        assert_eq!(Tier::new("", 0, false), Err(InvalidTier::Name));
        assert_eq!(Tier::new("Gold", 0, false), Err(InvalidTier::Name));
        assert_eq!(Tier::new("gold", 10_001, false), Err(InvalidTier::Markup));
    }
}
