//! Looks at every key for the models of a request: which may serve, in the order of precedence
//! (inline, user, project, organisation, system), and why the others do not.

use std::sync::Arc;

use keyward_proto::metering::v1::KeySource;

use super::asked::is_own;
use super::course::{Course, Seller};
use super::credits::Credits;
use super::found::Found;
use super::obstacle::Own;
use super::rank::Place;
use super::steering::lot;
use super::{LeftOut, Obstacle, PlanInput, PlanKey, Refusal, own};
use crate::domain::health::Standing;
use crate::domain::policy::{KeysFirst, Prefer};
use crate::domain::providers::OPENROUTER;

/// The keys for a request, sorted into those that may serve and those that may not.
pub(super) struct Survey<'a, 'c> {
    input: &'c PlanInput<'a>,
    is_auto: bool,
    prefer: Prefer,
    keys_first: KeysFirst,
    pub(super) found: Vec<Found<'a, 'c>>,
    pub(super) left_out: Vec<LeftOut>,
    /// The most that was found of the caller's own.
    own: Own,
    pub(super) refusal: Option<Refusal>,
}

impl<'a, 'c> Survey<'a, 'c> {
    /// Looks at the models in order. Where the choice of the model is ours (`is_auto`), own keys for
    /// any of them come before credits.
    pub(super) fn of(
        input: &'c PlanInput<'a>,
        is_auto: bool,
        courses: &'c [Course<'a, 'c>],
    ) -> Self {
        let mut survey = Self {
            input,
            is_auto,
            prefer: input.layers().prefer(),
            keys_first: input.layers().keys_first(),
            found: Vec::with_capacity(input.keys.len() + 1),
            left_out: Vec::new(),
            own: Own::Absent,
            refusal: None,
        };
        if is_auto {
            for course in courses {
                survey.own(course);
            }
            for course in courses {
                survey.credits(course);
            }
        } else {
            for course in courses {
                survey.own(course);
                survey.credits(course);
            }
        }
        survey.keyless(courses);
        survey
    }

    /// The caller's own keys for a model.
    fn own(&mut self, course: &'c Course<'a, 'c>) {
        self.inline(course);
        let mut rejected: Option<(Place, String)> = None;
        for (key, seller) in course.keys().filter(|(key, _)| is_own(key.source)) {
            let obstacle = own::obstacle(self.input, course, seller, key);
            self.found_own(obstacle.as_ref());
            let Some(obstacle) = obstacle else {
                self.take(course, seller, key, None);
                continue;
            };
            if matches!(obstacle, Obstacle::Rejected(_)) {
                let place = self.place(course, seller, key);
                if rejected.as_ref().is_none_or(|(first, _)| place < *first) {
                    rejected = Some((place, obstacle.told(&key.provider)));
                }
            }
            self.leave_out(seller, key.source, Some(key), obstacle);
        }
        self.refuse_if_first(course, rejected);
    }

    /// The request's own key comes before everything.
    fn inline(&mut self, course: &'c Course<'a, 'c>) {
        let (input, target) = (self.input, &course.choice.target);
        let provider = target.inline_provider(input);
        let Some(seller) = provider.and_then(|provider| course.seller(provider)) else {
            return;
        };
        let forbidden = input.layers().forbids_own_keys();
        let obstacle = forbidden
            .map(Obstacle::OwnKeysForbidden)
            .or_else(|| seller.own_obstacle(None));
        self.found_own(obstacle.as_ref());
        if let Some(obstacle) = obstacle {
            return self.leave_out(seller, KeySource::Inline, None, obstacle);
        }
        self.found.push(Found {
            place: Place::inline(self.is_auto, course.number),
            standing: Standing::Good,
            course,
            seller,
            key: None,
            fallback: None,
            cap: None,
        });
    }

    /// A key of the caller's own was found, and what keeps it from serving.
    fn found_own(&mut self, obstacle: Option<&Obstacle>) {
        self.own = self.own.max(obstacle.map_or(Own::There, Obstacle::own));
    }

    /// The platform's keys for a model.
    fn credits(&mut self, course: &'c Course<'a, 'c>) {
        let credits = Credits::of(self.input, course, self.own);
        for (key, seller) in course.keys().filter(|(key, _)| !is_own(key.source)) {
            let obstacle = credits
                .obstacle(key)
                .or_else(|| seller.obstacle(key.base_url.as_deref()));
            match obstacle {
                None => self.take(course, seller, key, Some(&credits)),
                Some(obstacle) => self.leave_out(seller, key.source, Some(key), obstacle),
            }
        }
    }

    fn take(
        &mut self,
        course: &'c Course<'a, 'c>,
        seller: &'c Seller,
        key: &'a Arc<PlanKey>,
        credits: Option<&Credits<'_, '_>>,
    ) {
        let (health, now_ms) = (self.input.health, self.input.now_ms);
        let name = upstream(course, seller, key);
        let standing = health.standing(&key.id, key.version, name, now_ms);
        self.found.push(Found {
            place: self.place(course, seller, key),
            standing: match key.base_url {
                None => standing.and(seller.standing),
                Some(_) => standing,
            },
            course,
            seller,
            key: Some(key),
            fallback: credits.and_then(|credits| credits.fallback),
            cap: credits.and_then(|credits| credits.cap),
        });
    }

    /// Where a key stands by precedence.
    fn place(&self, course: &Course<'_, '_>, seller: &Seller, key: &PlanKey) -> Place {
        let name = upstream(course, seller, key);
        let input = self.input;
        let is_system = !is_own(key.source);
        let (order, measure) = seller.order;
        // A reseller only adds a hop to what the platform can call itself.
        let prefer = if is_system {
            Prefer::Provider
        } else {
            self.prefer
        };
        let is_preferred = (*seller.provider == *OPENROUTER) == (prefer == Prefer::OpenRouter);
        let limited_ms = input
            .health
            .limited_ms(&key.id, key.version, name, input.now_ms);
        Place {
            group: Place::group(self.is_auto, course.number, is_system),
            order,
            measure,
            level: self.level(key.source),
            is_second: !is_preferred,
            provider_lot: seller.lot,
            listed: seller.listed.unwrap_or(usize::MAX),
            limited_ms,
            lot: lot(input.request.affinity, &key.id, key.weight),
        }
    }

    fn level(&self, source: KeySource) -> u8 {
        let levels = match self.keys_first {
            KeysFirst::Own => [KeySource::User, KeySource::Project, KeySource::Organization],
            KeysFirst::Organization => {
                [KeySource::Organization, KeySource::Project, KeySource::User]
            }
        };
        let found = levels.iter().position(|level| *level == source);
        found
            .and_then(|at| u8::try_from(at + 1).ok())
            .unwrap_or(u8::MAX)
    }

    /// The first key of all decides what the caller is told, and, where the request allows no other,
    /// that nothing is tried.
    fn refuse_if_first(&mut self, course: &Course<'_, '_>, rejected: Option<(Place, String)>) {
        let Some((place, said)) = rejected.filter(|_| course.number == 0) else {
            return;
        };
        if self.found.iter().all(|found| place < found.place) {
            self.refusal = Some(Refusal::KeyRejected(said));
        }
    }

    /// Providers that have a model, but for which the caller has no key.
    fn keyless(&mut self, courses: &'c [Course<'a, 'c>]) {
        let listed =
            |course: &'c Course<'a, 'c>| course.listed().map(move |seller| (course, seller));
        for (course, seller) in courses.iter().flat_map(listed) {
            let is_his = |(key, of): (&Arc<PlanKey>, &Seller)| {
                is_own(key.source) && std::ptr::eq(of, seller)
            };
            let is_inline = |found: &Found<'_, '_>| {
                found.key.is_none() && found.seller.provider == seller.provider
            };
            if !course.keys().any(is_his) && !self.found.iter().any(is_inline) {
                self.leave_out(seller, KeySource::Unspecified, None, Obstacle::NoKey);
            }
        }
    }

    fn leave_out(
        &mut self,
        seller: &Seller,
        source: KeySource,
        key: Option<&Arc<PlanKey>>,
        obstacle: Obstacle,
    ) {
        self.left_out.push(LeftOut {
            provider: Arc::clone(&seller.provider),
            upstream_model: Arc::clone(&seller.name),
            source,
            key: key.map(Arc::clone),
            obstacle,
        });
    }
}

/// What the model is called where a key is for.
fn upstream<'n>(course: &Course<'_, '_>, seller: &'n Seller, key: &'n PlanKey) -> &'n str {
    let deployment = key.deployment(course.choice.target.names(), &seller.name);
    deployment.unwrap_or(&seller.name)
}
