//! What a survey found: keys that may serve, as light as sorting wants them, and the candidates that
//! they become.

use std::sync::Arc;

use keyward_money::Nanos;
use keyward_proto::metering::v1::KeySource;

use super::course::{Course, Seller};
use super::rank::Place;
use super::reason::{Ordered, Reason};
use super::{Candidate, CandidateKey, KeyState, LeftOut, Obstacle, PlanKey};
use crate::domain::health::Standing;

/// A key that may serve a model at a provider.
pub(super) struct Found<'a, 'c> {
    pub(super) place: Place,
    /// How it stands.
    pub(super) standing: Standing,
    pub(super) course: &'c Course<'a, 'c>,
    pub(super) seller: &'c Seller,
    /// None for the one in the request.
    pub(super) key: Option<&'a Arc<PlanKey>>,
    /// Whether credits stand in for own keys, and the cap then.
    pub(super) fallback: Option<Nanos>,
    /// The most that it may cost in credits.
    pub(super) cap: Option<Nanos>,
}

impl Found<'_, '_> {
    pub(super) fn source(&self) -> KeySource {
        self.key.map_or(KeySource::Inline, |key| key.source)
    }

    /// What it is sorted by: an inline key is first whatever the order of providers.
    pub(super) fn precedence(&self) -> ((u16, u16), bool, &Place) {
        (self.place.group, self.key.is_some(), &self.place)
    }

    /// It may serve. `organization_first` is whether a policy puts the organisation's keys first.
    pub(super) fn candidate(&self, organization_first: bool) -> Candidate {
        Candidate {
            provider: Arc::clone(&self.seller.provider),
            upstream_model: self.upstream_model(),
            model: Arc::clone(&self.course.model),
            source: self.source(),
            key: self.key.map_or(CandidateKey::Inline, |key| {
                CandidateKey::Stored(Arc::clone(key))
            }),
            charge_cap: self.cap,
            reason: self.reason(organization_first),
        }
    }

    /// It may not, after all.
    pub(super) fn left_out(&self, obstacle: Obstacle) -> LeftOut {
        LeftOut {
            provider: Arc::clone(&self.seller.provider),
            upstream_model: Arc::clone(&self.seller.name),
            source: self.source(),
            key: self.key.map(Arc::clone),
            obstacle,
        }
    }

    fn upstream_model(&self) -> Arc<str> {
        let (names, name) = (self.course.choice.target.names(), &self.seller.name);
        let deployment = self.key.and_then(|key| key.deployment(names, name));
        deployment.map_or_else(|| Arc::clone(name), Arc::from)
    }

    fn reason(&self, organization_first: bool) -> Reason {
        let is_moved = organization_first && self.source() == KeySource::Organization;
        let ordered = self.course.ordered.clone();
        let no_credit = match self.key.map(|key| &key.state) {
            Some(KeyState::QuotaExhausted(said)) => Some(said.clone()),
            _ => None,
        };
        Reason {
            source: self.source(),
            fallback: self.fallback,
            task: self.course.choice.task,
            ordered: ordered.or(is_moved.then_some(Ordered::OrganizationFirst)),
            standing: self.standing,
            no_credit,
        }
    }
}
