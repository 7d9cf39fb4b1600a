//! What a survey found: keys that may serve, as light as sorting wants them, and the candidates that
//! they become.

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
    pub(super) seller: &'c Seller<'c>,
    /// None for the one in the request.
    pub(super) key: Option<&'a PlanKey>,
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
            provider: self.seller.provider.to_owned(),
            upstream_model: self.upstream_model().to_owned(),
            model: self.course.choice.target.id().to_owned(),
            source: self.source(),
            key: self.candidate_key(),
            base_url: self.key.and_then(|key| key.base_url.clone()),
            api_version: self
                .key
                .map(|key| key.api_version.clone())
                .unwrap_or_default(),
            charge_cap: self.cap,
            reason: self.reason(organization_first),
        }
    }

    /// It may not, after all.
    pub(super) fn left_out(&self, obstacle: Obstacle) -> LeftOut {
        LeftOut {
            provider: self.seller.provider.to_owned(),
            upstream_model: self.seller.name.to_owned(),
            source: self.source(),
            key_id: self.key.map(|key| key.id.clone()).unwrap_or_default(),
            obstacle,
        }
    }

    fn upstream_model(&self) -> &str {
        let target = &self.course.choice.target;
        let deployment = self
            .key
            .map(|key| key.deployment(target.names(), self.seller.name));
        deployment.unwrap_or(self.seller.name)
    }

    fn candidate_key(&self) -> CandidateKey {
        match self.key {
            None => CandidateKey::Inline,
            Some(key) => CandidateKey::Stored {
                id: key.id.clone(),
                version: key.version,
                connected: key.state == KeyState::Connected,
            },
        }
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
