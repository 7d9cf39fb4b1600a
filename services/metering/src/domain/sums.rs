//! Sums of records, and what they are summed by.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use keyward_money::{BasisPoints, Nanos, Usage};
use keyward_proto::metering::v1 as wire;
use serde::{Deserialize, Serialize};

use super::charging::Priced;
use super::event::{Event, Outcome};
use super::filter::Hour;

/// What records can be summed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Dimension {
    Hour,
    Day,
    Model,
    Provider,
    ProviderKey,
    User,
    Project,
    Tag,
    KeySource,
}

/// The dimensions that are asked for.
pub(crate) type Dimensions = BTreeSet<Dimension>;

/// What some records add up to. Figures that no longer fit stay at the highest that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    /// First attempts.
    pub(crate) requests: i64,
    pub(crate) attempts: i64,
    /// Attempts that delivered nothing.
    pub(crate) failed_attempts: i64,
    pub(crate) unpriced_attempts: i64,
    pub(crate) usage: Usage,
    pub(crate) list_cost: Nanos,
    pub(crate) charge: Nanos,
    /// List cost of what own keys and stored answers delivered.
    pub(crate) own_key_list_cost: Nanos,
}

impl Sum {
    /// How many figures there are.
    pub(crate) const FIGURES: usize = 7 + Usage::BUCKETS;

    /// What one record adds.
    pub(crate) fn of(event: &Event, priced: &Priced) -> Self {
        let list_cost = priced.list_cost.unwrap_or(Nanos::ZERO);
        let is_free = !event.is_paid_in_credits();
        let is_delivered = event.outcome == Outcome::Delivered;
        Self {
            requests: i64::from(event.message.attempt == 1),
            attempts: 1,
            failed_attempts: i64::from(event.outcome == Outcome::Failed),
            unpriced_attempts: i64::from(priced.list_cost.is_none()),
            usage: event.usage,
            list_cost,
            charge: priced.charge,
            own_key_list_cost: if is_free && is_delivered {
                list_cost
            } else {
                Nanos::ZERO
            },
        }
    }

    /// Adds another.
    pub(crate) fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.attempts = self.attempts.saturating_add(other.attempts);
        self.failed_attempts = self.failed_attempts.saturating_add(other.failed_attempts);
        self.unpriced_attempts = self
            .unpriced_attempts
            .saturating_add(other.unpriced_attempts);
        self.usage = self.usage.saturating_add(other.usage);
        self.list_cost = self.list_cost.saturating_add(other.list_cost);
        self.charge = self.charge.saturating_add(other.charge);
        self.own_key_list_cost = self
            .own_key_list_cost
            .saturating_add(other.own_key_list_cost);
    }

    /// Its figures, in the order in which stores have their columns.
    pub(crate) fn figures(&self) -> [i64; Self::FIGURES] {
        let counts = [
            self.requests,
            self.attempts,
            self.failed_attempts,
            self.unpriced_attempts,
            self.list_cost.get(),
            self.charge.get(),
            self.own_key_list_cost.get(),
        ];
        let mut figures = [0; Self::FIGURES];
        let all = counts.into_iter().chain(self.usage.to_buckets());
        figures
            .iter_mut()
            .zip(all)
            .for_each(|(to, from)| *to = from);
        figures
    }

    /// The sum with these figures, in that order.
    pub(crate) fn from_figures(figures: [i64; Self::FIGURES]) -> Self {
        let [
            requests,
            attempts,
            failed_attempts,
            unpriced_attempts,
            list_cost,
            charge,
            own_key_list_cost,
            ref buckets @ ..,
        ] = figures;
        Self {
            requests,
            attempts,
            failed_attempts,
            unpriced_attempts,
            usage: Usage::from_buckets(*buckets),
            list_cost: Nanos::new(list_cost),
            charge: Nanos::new(charge),
            own_key_list_cost: Nanos::new(own_key_list_cost),
        }
    }

    /// What own keys and stored answers saved: what they delivered would have been charged with this markup.
    pub(crate) fn saved(&self, markup: BasisPoints) -> Nanos {
        markup.on(self.own_key_list_cost)
    }
}

/// Own keys against credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Savings {
    /// What own keys were used for.
    pub(crate) own: Sum,
    /// What the platform's were.
    pub(crate) credits: Sum,
    /// What own keys and stored answers delivered would have cost in credits.
    pub(crate) credit_cost: Nanos,
}

impl Savings {
    /// Of sums by whose key served, with the markup that credits would have. What is saved is rounded
    /// for each of them, so that lines add up to their total.
    pub(crate) fn of(groups: &[GroupSum], markup: BasisPoints) -> Self {
        let mut savings = Self::default();
        for GroupSum { group, sum } in groups {
            if group.key_source == Some(wire::KeySource::System.into()) {
                savings.credits.add(sum);
            } else {
                savings.own.add(sum);
            }
            // Of the platform's keys, what stored answers delivered.
            savings.credit_cost = savings.credit_cost.saturating_add(sum.saved(markup));
        }
        savings
    }

    /// The difference.
    pub(crate) fn saved(&self) -> Nanos {
        self.credit_cost.saturating_sub(self.own.charge)
    }
}

/// What is known of the records of one hour that are alike, and what they add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) hour: Hour,
    pub(crate) model: String,
    pub(crate) provider: String,
    pub(crate) provider_key_id: String,
    pub(crate) user: String,
    pub(crate) project: String,
    pub(crate) key_source: i32,
    /// `name=value`; empty for records without tags, and where tags do not matter.
    pub(crate) tag: String,
    pub(crate) sum: Sum,
}

/// What the records of one sum have in common: a member for each dimension that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub(crate) struct Group {
    /// The first hour of it, from 1970.
    pub(crate) hour: Option<i64>,
    pub(crate) model: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) provider_key_id: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) project: Option<String>,
    pub(crate) key_source: Option<i32>,
    pub(crate) tag: Option<String>,
}

impl Group {
    /// The group that a cell is in.
    pub(crate) fn of(cell: &Cell, by: &Dimensions) -> Self {
        let has = |dimension| by.contains(&dimension);
        let text = |dimension, value: &String| has(dimension).then(|| value.clone());
        let hour = if has(Dimension::Hour) {
            Some(cell.hour)
        } else {
            has(Dimension::Day).then(|| cell.hour.day())
        };
        Self {
            hour: hour.map(Hour::get),
            model: text(Dimension::Model, &cell.model),
            provider: text(Dimension::Provider, &cell.provider),
            provider_key_id: text(Dimension::ProviderKey, &cell.provider_key_id),
            user: text(Dimension::User, &cell.user),
            project: text(Dimension::Project, &cell.project),
            key_source: has(Dimension::KeySource).then_some(cell.key_source),
            tag: text(Dimension::Tag, &cell.tag),
        }
    }
}

/// Where a sum stands among others: by time, newest first, then by list cost, dearest first, then
/// by names. Also where a page ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place(Reverse<Option<i64>>, Reverse<i64>, Group);

/// A group and its sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupSum {
    pub(crate) group: Group,
    pub(crate) sum: Sum,
}

impl GroupSum {
    /// Where it stands.
    pub(crate) fn place(&self) -> Place {
        let cost = self.sum.list_cost.get();
        Place(Reverse(self.group.hour), Reverse(cost), self.group.clone())
    }
}

/// There are more groups than anybody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyGroups;

/// Adds cells up, group by group.
#[derive(Debug)]
pub(crate) struct Groups {
    by: Dimensions,
    limit: usize,
    sums: HashMap<Group, Sum>,
}

impl Groups {
    /// For at most so many groups.
    pub(crate) fn new(by: Dimensions, limit: usize) -> Self {
        Self {
            by,
            limit,
            sums: HashMap::new(),
        }
    }

    /// Counts a cell in its group.
    pub(crate) fn add(&mut self, cell: &Cell) -> Result<(), TooManyGroups> {
        let group = Group::of(cell, &self.by);
        if let Some(sum) = self.sums.get_mut(&group) {
            sum.add(&cell.sum);
            return Ok(());
        }
        if self.sums.len() >= self.limit {
            return Err(TooManyGroups);
        }
        self.sums.insert(group, cell.sum);
        Ok(())
    }

    /// The sums in order.
    pub(crate) fn finish(self) -> Vec<GroupSum> {
        let mut sums: Vec<GroupSum> = self
            .sums
            .into_iter()
            .map(|(group, sum)| GroupSum { group, sum })
            .collect();
        sums.sort_by_cached_key(GroupSum::place);
        sums
    }
}
