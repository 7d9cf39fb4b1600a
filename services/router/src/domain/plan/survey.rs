//! Looks at every key for the models of a request: which may serve, in the order of precedence
//! (inline, user, project, organisation, system), and why the others do not.

use keyward_money::Nanos;
use keyward_proto::metering::v1::KeySource;

use super::asked::{Asked, Choice, is_own};
use super::credits::Credits;
use super::rank::{Place, Ranked};
use super::reason::{Ordered, Reason};
use super::steering::{Steering, lot};
use super::target::is_callable;
use super::{
    Allowance, Candidate, CandidateKey, KeyState, LeftOut, Obstacle, PlanInput, PlanKey, Refusal,
};
use crate::domain::health::Standing;
use crate::domain::policy::{KeysFirst, Pattern, Prefer};
use crate::domain::providers::OPENROUTER;

/// The keys for a request, sorted into those that may serve and those that may not.
pub(super) struct Survey<'a, 'b> {
    pub(super) input: &'b PlanInput<'a>,
    pub(super) is_auto: bool,
    pub(super) found: Vec<Ranked>,
    pub(super) left_out: Vec<LeftOut>,
    /// Whether an own key serves, or would but for a fault: credits then only stand in for it.
    pub(super) has_own: bool,
    /// Whether there is an own key at all, be it that somebody's word keeps it from serving: paying
    /// for what it might serve needs consent.
    pub(super) needs_consent: bool,
    pub(super) refusal: Option<Refusal>,
}

/// One model with what steers who serves it.
pub(super) struct Course<'a, 'b> {
    pub(super) choice: &'b Choice<'a>,
    /// Its place among the request's models.
    pub(super) number: u16,
    pub(super) steering: Steering<'a>,
    /// Who has it, in the catalogue's order.
    providers: Vec<&'b str>,
}

impl<'a, 'b> Survey<'a, 'b> {
    pub(super) fn of(input: &'b PlanInput<'a>, asked: &'b Asked<'a>) -> Self {
        let mut survey = Self {
            input,
            is_auto: asked.is_auto,
            found: Vec::with_capacity(input.keys.len() + 1),
            left_out: Vec::new(),
            has_own: false,
            needs_consent: false,
            refusal: None,
        };
        let courses: Vec<Course<'_, '_>> = (0..)
            .zip(&asked.models)
            .map(|(number, choice)| Course {
                choice,
                number,
                steering: Steering::of(input, &choice.target),
                providers: choice.target.providers(),
            })
            .collect();
        if asked.is_auto {
            for course in &courses {
                survey.own(course);
            }
            for course in &courses {
                survey.credits(course);
            }
        } else {
            for course in &courses {
                survey.own(course);
                survey.credits(course);
            }
        }
        survey.keyless(&courses);
        survey
    }

    /// The caller's own keys for a model.
    fn own(&mut self, course: &Course<'a, 'b>) {
        self.inline(course);
        for key in self.input.keys.iter().filter(|key| is_own(key.source)) {
            let target = &course.choice.target;
            if target.name_at(&key.provider).is_none() {
                continue;
            }
            match self.obstacle(key, course) {
                None => self.take(key, course, None),
                Some(obstacle) => {
                    self.has_own |= obstacle.is_fault();
                    self.needs_consent |= !obstacle.is_absence();
                    self.leave_out(course, &key.provider, key.source, &key.id, obstacle);
                }
            }
        }
        self.refuse_if_the_first_was_rejected(course);
    }

    /// The request's own key comes before everything.
    fn inline(&mut self, course: &Course<'a, 'b>) {
        let (input, target) = (self.input, &course.choice.target);
        let Some(inline) = input.request.inline_key else {
            return;
        };
        let named = input.request.byok_provider.as_deref().or(inline.looks_like);
        let Some(provider) = named.or_else(|| target.own_provider(input)) else {
            return;
        };
        let Some(name) = target.name_at(provider) else {
            return;
        };
        let forbidden = input
            .layers()
            .forbids_own_keys()
            .map(Obstacle::OwnKeysForbidden);
        let obstacle = forbidden
            .or_else(|| course.steering.obstacle(input, target, provider))
            .or_else(|| self.unreachable(provider, None));
        if let Some(obstacle) = obstacle {
            self.has_own |= obstacle.is_fault();
            self.needs_consent = true;
            return self.leave_out(course, provider, KeySource::Inline, "", obstacle);
        }
        self.has_own = true;
        let reason = self.reason(course, KeySource::Inline, None, Standing::Good);
        let candidate = Candidate {
            provider: provider.to_owned(),
            upstream_model: name.to_owned(),
            model: target.id().to_owned(),
            source: KeySource::Inline,
            key: CandidateKey::Inline,
            base_url: None,
            charge_cap: None,
            reason,
        };
        let place = Place::inline(self.is_auto, course.number);
        self.found.push(Ranked { place, candidate });
    }

    /// The platform's keys for a model.
    fn credits(&mut self, course: &Course<'a, 'b>) {
        let needs_consent = self.has_own || self.needs_consent;
        let credits = Credits::of(self.input, course, self.has_own, needs_consent);
        for key in self.input.keys.iter().filter(|key| !is_own(key.source)) {
            let target = &course.choice.target;
            if target.name_at(&key.provider).is_none() {
                continue;
            }
            let obstacle = credits
                .obstacle(key)
                .or_else(|| course.steering.obstacle(self.input, target, &key.provider))
                .or_else(|| self.unreachable(&key.provider, key.base_url.as_deref()));
            match obstacle {
                None => self.take(key, course, Some(&credits)),
                Some(obstacle) => {
                    self.leave_out(course, &key.provider, key.source, &key.id, obstacle);
                }
            }
        }
    }

    fn take(&mut self, key: &PlanKey, course: &Course<'a, 'b>, credits: Option<&Credits<'_, '_>>) {
        let (input, target) = (self.input, &course.choice.target);
        let name = target.name_at(&key.provider).unwrap_or_default();
        let (health, now_ms) = (input.health, input.now_ms);
        let mut standing = health.standing(&key.id, key.version, name, now_ms);
        if key.base_url.is_none() {
            standing = standing.and(health.standing_at(&key.provider, name, now_ms));
        }
        let fallback = credits.and_then(|credits| credits.fallback);
        let mut reason = self.reason(course, key.source, fallback, standing);
        if let KeyState::QuotaExhausted(said) = &key.state {
            reason.no_credit = Some(said.clone());
        }
        self.has_own |= is_own(key.source);
        let candidate = Candidate {
            provider: key.provider.clone(),
            upstream_model: name.to_owned(),
            model: target.id().to_owned(),
            source: key.source,
            key: CandidateKey::Stored {
                id: key.id.clone(),
                version: key.version,
                connected: key.state == KeyState::Connected,
            },
            base_url: key.base_url.clone(),
            charge_cap: credits.and_then(|credits| credits.cap),
            reason,
        };
        let place = self.place(key, course, name);
        self.found.push(Ranked { place, candidate });
    }

    fn reason(
        &self,
        course: &Course<'_, '_>,
        source: KeySource,
        fallback: Option<Nanos>,
        standing: Standing,
    ) -> Reason {
        let organization_first = source == KeySource::Organization
            && self.input.layers().keys_first() == KeysFirst::Organization;
        let ordered = course.steering.ordered();
        Reason {
            source,
            fallback,
            task: course.choice.task,
            ordered: ordered.or(organization_first.then_some(Ordered::OrganizationFirst)),
            standing,
            no_credit: None,
        }
    }

    /// Where a key stands by precedence.
    fn place(&self, key: &PlanKey, course: &Course<'_, '_>, name: &str) -> Place {
        let (input, target) = (self.input, &course.choice.target);
        let is_system = !is_own(key.source);
        let (order, measure) = course.steering.place(input, target, &key.provider);
        // A reseller only adds a hop to what the platform can call itself.
        let prefer = if is_system {
            Prefer::Provider
        } else {
            input.layers().prefer()
        };
        let is_preferred = (key.provider == OPENROUTER) == (prefer == Prefer::OpenRouter);
        let mut providers = course.providers.iter();
        let listed = providers.position(|name| *name == key.provider);
        let affinity = input.request.affinity;
        Place {
            group: Place::group(self.is_auto, course.number, is_system),
            order,
            measure,
            level: self.level(key.source),
            is_second: !is_preferred,
            provider_lot: course.steering.lot(affinity, &key.provider),
            listed: listed.unwrap_or(usize::MAX),
            limited_ms: input
                .health
                .limited_ms(&key.id, key.version, name, input.now_ms),
            lot: lot(affinity, &key.id, key.weight),
        }
    }

    fn level(&self, source: KeySource) -> u8 {
        let levels = match self.input.layers().keys_first() {
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

    /// Why a stored key of the caller's own is no candidate.
    fn obstacle(&self, key: &PlanKey, course: &Course<'_, '_>) -> Option<Obstacle> {
        let (input, target) = (self.input, &course.choice.target);
        if let Some(obstacle) = out_of_use(key, input.now_ms) {
            return Some(obstacle);
        }
        if key.source == KeySource::Organization && !input.principal.organization_keys {
            return Some(Obstacle::NoOrganizationKeys);
        }
        let forbidden = input.layers().forbids_own_keys();
        if let Some(scope) = forbidden.filter(|_| key.source == KeySource::User) {
            return Some(Obstacle::OwnKeysForbidden(scope));
        }
        if !is_for(key, target.names()) {
            return Some(Obstacle::OtherModels);
        }
        self.asked_otherwise(key)
            .or_else(|| course.steering.obstacle(input, target, &key.provider))
            .or_else(|| self.unreachable(&key.provider, key.base_url.as_deref()))
            .or_else(|| match &key.state {
                KeyState::Rejected(said) => Some(Obstacle::Rejected(said.clone())),
                _ => None,
            })
    }

    /// What the request says of whose key is to serve.
    fn asked_otherwise(&self, key: &PlanKey) -> Option<Obstacle> {
        let request = self.input.request;
        if request.inline_key.is_some() {
            let is_alone = matches!(request.allowance, Allowance::Policy | Allowance::None);
            return is_alone.then_some(Obstacle::InlineOnly);
        }
        let named = request.byok_provider.as_deref();
        let named = named.filter(|named| *named != key.provider)?;
        Some(Obstacle::OtherProviderNamed(named.to_owned()))
    }

    /// Why a provider cannot be called.
    fn unreachable(&self, provider: &str, base_url: Option<&str>) -> Option<Obstacle> {
        let Some(known) = self.input.providers.get(provider) else {
            return Some(Obstacle::NotAvailable);
        };
        if !is_callable(known.dialect) {
            return Some(Obstacle::NotCallable);
        }
        let needs_address = known.dialect == keyward_catalog::Dialect::OpenAi;
        let has_address = base_url.is_some() || known.base_url.is_some();
        (needs_address && !has_address).then_some(Obstacle::NoAddress)
    }

    /// The first key of all decides what the caller is told, and, where the request allows no other,
    /// that nothing is tried.
    fn refuse_if_the_first_was_rejected(&mut self, course: &Course<'_, '_>) {
        if course.number > 0 || self.refusal.is_some() {
            return;
        }
        let name = |key: &PlanKey| {
            course
                .choice
                .target
                .name_at(&key.provider)
                .map(str::to_owned)
        };
        let rejected = |left: &&LeftOut| matches!(left.obstacle, Obstacle::Rejected(_));
        let keys = self.left_out.iter().filter(rejected).filter_map(|left| {
            let key = self.input.keys.iter().find(|key| key.id == left.key_id)?;
            Some((self.place(key, course, &name(key)?), left))
        });
        let Some((place, left)) = keys.min_by(|a, b| a.0.cmp(&b.0)) else {
            return;
        };
        if self.found.iter().all(|ranked| place < ranked.place) {
            self.refusal = Some(Refusal::KeyRejected(left.reason()));
        }
    }

    /// Providers that have a model, but for which the caller has no key.
    fn keyless(&mut self, courses: &[Course<'_, '_>]) {
        for course in courses {
            for &provider in &course.providers {
                let is_his = |key: &PlanKey| is_own(key.source) && key.provider == provider;
                let inline = self.found.iter().any(|ranked| {
                    ranked.candidate.source == KeySource::Inline
                        && ranked.candidate.provider == provider
                });
                if !inline && !self.input.keys.iter().any(is_his) {
                    let source = KeySource::Unspecified;
                    self.leave_out(course, provider, source, "", Obstacle::NoKey);
                }
            }
        }
    }

    fn leave_out(
        &mut self,
        course: &Course<'_, '_>,
        provider: &str,
        source: KeySource,
        key_id: &str,
        obstacle: Obstacle,
    ) {
        let name = course.choice.target.name_at(provider).unwrap_or_default();
        self.left_out.push(LeftOut {
            provider: provider.to_owned(),
            upstream_model: name.to_owned(),
            source,
            key_id: key_id.to_owned(),
            obstacle,
        });
    }
}

/// Whether a key is switched off or past its time.
pub(super) fn out_of_use(key: &PlanKey, now_ms: u64) -> Option<Obstacle> {
    match key.state {
        KeyState::Disabled => Some(Obstacle::Disabled),
        KeyState::Expired => Some(Obstacle::Expired),
        _ if key.expires_ms.is_some_and(|expires| expires <= now_ms) => Some(Obstacle::Expired),
        _ => None,
    }
}

/// Whether a key is for a model.
pub(super) fn is_for(key: &PlanKey, names: [&str; 2]) -> bool {
    let meant = |pattern: &Pattern| names.iter().any(|name| pattern.matches(name));
    key.allowed_models.is_empty() || key.allowed_models.iter().any(meant)
}
