//! Sorts keys by the table of precedence: inline, user, project, organisation, system; within each
//! level by preference; then those that rest behind those that do not.

use keyward_money::Nanos;
use keyward_proto::metering::v1::KeySource;

use super::target::{Target, is_callable};
use super::{
    Allowance, Candidate, CandidateKey, KeyState, LeftOut, Plan, PlanInput, PlanKey, Prefer,
    Refusal,
};
use crate::domain::health::Standing;
use crate::domain::providers::OPENROUTER;

/// A candidate with what decides its place.
struct Ranked {
    candidate: Candidate,
    standing: Standing,
}

/// Keys sorted into who may serve and who may not.
pub(super) struct Levels<'a, 'b> {
    input: &'b PlanInput<'a>,
    target: &'b Target<'a>,
    own: Vec<Ranked>,
    system: Vec<Ranked>,
    left_out: Vec<LeftOut>,
    /// Own keys that would serve but for a fault: paying for what they were to serve needs consent.
    faulty: bool,
    refusal: Option<Refusal>,
}

impl<'a, 'b> Levels<'a, 'b> {
    pub(super) fn sort(input: &'b PlanInput<'a>, target: &'b Target<'a>) -> Self {
        let mut levels = Self {
            input,
            target,
            own: Vec::new(),
            system: Vec::new(),
            left_out: Vec::new(),
            faulty: false,
            refusal: None,
        };
        levels.inline();
        for source in [KeySource::User, KeySource::Project, KeySource::Organization] {
            levels.level(source);
        }
        levels.system();
        levels.keyless();
        levels
    }

    /// The request's own key comes before everything.
    fn inline(&mut self) {
        let Some(inline) = self.input.request.inline_key else {
            return;
        };
        let named = self.input.request.byok_provider.as_deref();
        let provider = named
            .or(inline.looks_like)
            .or_else(|| self.target.own_provider(self.input));
        let Some(provider) = provider else { return };
        let Some(name) = self.target.name_at(provider) else {
            return;
        };
        let reason = "the key sent with the request comes first".to_owned();
        match self.obstacle_at(provider, None) {
            Some(obstacle) => {
                self.faulty = true;
                self.leave_out(provider, KeySource::Inline, "", obstacle);
            }
            None => self.own.push(Ranked {
                candidate: self.candidate(provider, name, KeySource::Inline, None, reason),
                standing: Standing::Good,
            }),
        }
    }

    /// The stored keys of one owner.
    fn level(&mut self, source: KeySource) {
        for key in self.keys_of(source) {
            let Some(name) = self.target.name_at(&key.provider) else {
                continue;
            };
            if let Some((reason, faulty)) = self.obstacle(key) {
                self.faulty |= faulty;
                self.leave_out(&key.provider, source, &key.id, reason);
                continue;
            }
            if let KeyState::Rejected(said) = &key.state {
                self.reject(key, said);
                continue;
            }
            let standing =
                self.input
                    .health
                    .standing(&key.id, key.version, name, self.input.now_ms);
            let reason = own_reason(key, standing);
            let candidate = self.candidate(&key.provider, name, source, Some(key), reason);
            self.own.push(Ranked {
                candidate,
                standing,
            });
        }
    }

    fn reject(&mut self, key: &PlanKey, said: &str) {
        let first = self.own.is_empty() && !self.faulty;
        self.faulty = true;
        let reason = format!("{} refused this key: {said}", key.provider);
        self.leave_out(&key.provider, key.source, &key.id, reason.clone());
        // The first key of all decides what the caller is told, and, where the request allows no
        // other, that nothing is tried.
        if first {
            self.refusal = Some(Refusal::KeyRejected(reason));
        }
    }

    /// The keys of one owner in the order of preference.
    fn keys_of(&self, source: KeySource) -> Vec<&'a PlanKey> {
        let of_source = |key: &&PlanKey| key.source == source;
        let mut keys: Vec<&PlanKey> = self.input.keys.iter().filter(of_source).collect();
        let order = self.target.providers();
        let place = |key: &PlanKey| order.iter().position(|name| *name == key.provider);
        let prefer = if source == KeySource::System {
            // A reseller only adds a hop to what the platform can call itself.
            Prefer::Provider
        } else {
            self.input.policy.prefer
        };
        keys.sort_by_key(|key| {
            let is_openrouter = key.provider == OPENROUTER;
            let first = is_openrouter == (prefer == Prefer::OpenRouter);
            (!first, place(key), key.id.as_str())
        });
        keys
    }

    /// Why a stored key is no candidate, and whether that is a fault that needs consent before
    /// credits are spent in its stead.
    fn obstacle(&self, key: &PlanKey) -> Option<(String, bool)> {
        let expired = key
            .expires_ms
            .is_some_and(|expires| expires <= self.input.now_ms);
        match key.state {
            KeyState::Disabled => return Some(("the key is disabled".into(), false)),
            KeyState::Expired => return Some(("the key has expired".into(), false)),
            _ if expired => return Some(("the key has expired".into(), false)),
            _ => {}
        }
        if key.source == KeySource::Organization && !self.input.principal.organization_keys {
            let reason = "the organisation's tier does not include keys of organisations";
            return Some((reason.into(), false));
        }
        let named = self.input.request.byok_provider.as_deref();
        if self.input.request.inline_key.is_none()
            && let Some(named) = named.filter(|named| *named != key.provider)
        {
            return Some((format!("the request asks for a key of {named}"), false));
        }
        let inline_only = self.input.request.inline_key.is_some()
            && matches!(
                self.input.request.allowance,
                Allowance::Policy | Allowance::None
            );
        if inline_only {
            return Some((
                "the request brings its own key and allows no other".into(),
                false,
            ));
        }
        self.obstacle_at(&key.provider, key.base_url.as_deref())
            .map(|reason| (reason, true))
    }

    /// Why a provider cannot be called.
    fn obstacle_at(&self, provider: &str, base_url: Option<&str>) -> Option<String> {
        let Some(known) = self.input.providers.get(provider) else {
            return Some(format!("{provider} is not available here"));
        };
        if !is_callable(known.dialect) {
            return Some(format!(
                "calls in {provider}'s own form are not available yet; a key for {OPENROUTER} \
                 serves its models"
            ));
        }
        let needs_address = known.dialect == keyward_catalog::Dialect::OpenAi;
        if needs_address && base_url.is_none() && known.base_url.is_none() {
            return Some(format!(
                "{provider} has no address: set providers.{provider}.base_url"
            ));
        }
        None
    }

    /// The platform's keys.
    fn system(&mut self) {
        let refusal = self.credits_refusal();
        let is_fallback = !self.own.is_empty() || self.faulty;
        let cap = is_fallback.then(|| self.cap());
        for key in self.keys_of(KeySource::System) {
            let Some(name) = self.target.name_at(&key.provider) else {
                continue;
            };
            let obstacle = refusal.clone().or_else(|| self.system_obstacle(key));
            if let Some(reason) = obstacle {
                self.leave_out(&key.provider, KeySource::System, &key.id, reason);
                continue;
            }
            let standing =
                self.input
                    .health
                    .standing(&key.id, key.version, name, self.input.now_ms);
            let reason = match cap {
                Some(cap) => format!("credits serve where own keys fail, up to {cap}"),
                None => "no own key serves this model; credits do".to_owned(),
            };
            let mut candidate =
                self.candidate(&key.provider, name, KeySource::System, Some(key), reason);
            candidate.charge_cap = cap;
            self.system.push(Ranked {
                candidate,
                standing,
            });
        }
    }

    fn cap(&self) -> Nanos {
        let policy = self.input.policy.fallback_max_charge;
        self.input
            .request
            .fallback_max_charge
            .map_or(policy, |asked| asked.min(policy))
    }

    /// Why credits may not be spent on this request at all.
    fn credits_refusal(&self) -> Option<String> {
        let request = self.input.request;
        let has_own = !self.own.is_empty() || self.faulty;
        let asked = |allowance| request.allowance == allowance;
        if request.inline_key.is_some() && !asked(Allowance::Credits) {
            return Some("the request brings its own key and does not allow credits".into());
        }
        if !has_own && request.byok_provider.is_some() {
            return Some("the request asks for an own key, not for credits".into());
        }
        if !has_own {
            return None;
        }
        if asked(Allowance::None) || asked(Allowance::OwnKeys) {
            return Some("the request does not allow a fallback to credits".into());
        }
        let allowed = self.input.policy.fallback_to_credits;
        (!allowed).then(|| "policy does not allow a fallback to credits".into())
    }

    fn system_obstacle(&self, key: &PlanKey) -> Option<String> {
        let unpriced = || {
            let priced = self
                .input
                .catalog
                .prices(&key.provider, self.target.id())
                .is_some();
            !self.target.is_listed() || !priced
        };
        let named = self.input.request.byok_provider.as_deref();
        match &key.state {
            KeyState::Disabled => Some("the platform's key is disabled".into()),
            KeyState::Expired => Some("the platform's key has expired".into()),
            KeyState::Rejected(_) => Some("the provider refused the platform's key".into()),
            _ if self.input.request.inline_key.is_none()
                && named.is_some_and(|named| named != key.provider) =>
            {
                Some("the request names another provider".into())
            }
            _ if unpriced() => Some("its price is unknown, so credits cannot pay for it".into()),
            _ => self.obstacle_at(&key.provider, key.base_url.as_deref()),
        }
    }

    /// Providers that have the model, but for which the caller has no key.
    fn keyless(&mut self) {
        for provider in self.target.providers() {
            let is_own = |key: &PlanKey| key.source != KeySource::System;
            let has_key = self
                .input
                .keys
                .iter()
                .any(|key| is_own(key) && key.provider == provider);
            let inline = self
                .own
                .iter()
                .any(|ranked| ranked.candidate.provider == provider);
            if !has_key && !inline {
                let reason = format!("you have no key for {provider}");
                self.leave_out(provider, KeySource::Unspecified, "", reason);
            }
        }
    }

    fn leave_out(&mut self, provider: &str, source: KeySource, key_id: &str, reason: String) {
        self.left_out.push(LeftOut {
            provider: provider.to_owned(),
            upstream_model: self.target.name_at(provider).unwrap_or_default().to_owned(),
            source,
            key_id: key_id.to_owned(),
            reason,
        });
    }

    fn candidate(
        &self,
        provider: &str,
        upstream_model: &str,
        source: KeySource,
        key: Option<&PlanKey>,
        reason: String,
    ) -> Candidate {
        Candidate {
            provider: provider.to_owned(),
            upstream_model: upstream_model.to_owned(),
            model: self.target.id().to_owned(),
            source,
            key: key.map_or(CandidateKey::Inline, |key| CandidateKey::Stored {
                id: key.id.clone(),
                version: key.version,
                connected: key.state == KeyState::Connected,
            }),
            base_url: key.and_then(|key| key.base_url.clone()),
            charge_cap: None,
            reason,
        }
    }

    pub(super) fn into_plan(mut self) -> Plan {
        if self.input.request.allowance == Allowance::None {
            self.keep_the_first();
        }
        let mut all: Vec<Ranked> = Vec::with_capacity(self.own.len() + self.system.len());
        all.append(&mut self.own);
        all.append(&mut self.system);
        // Stable: precedence stands among those that are equally well.
        all.sort_by_key(|ranked| match ranked.standing {
            Standing::Good => (0, 0),
            Standing::Absent => (1, 0),
            Standing::Resting { until_ms } => (2, until_ms),
        });
        let candidates: Vec<Candidate> = all.into_iter().map(|ranked| ranked.candidate).collect();
        Plan {
            candidates,
            left_out: self.left_out,
            refusal: self.refusal,
        }
    }

    /// With no fallback at all there is one key: the first by precedence, however it stands.
    fn keep_the_first(&mut self) {
        let keep = usize::from(self.refusal.is_none());
        let own = self.own.split_off(self.own.len().min(keep));
        let mut rest = own;
        if self.own.is_empty() && self.refusal.is_none() {
            rest.extend(self.system.split_off(self.system.len().min(1)));
        } else {
            rest.append(&mut self.system);
        }
        for ranked in rest {
            let candidate = ranked.candidate;
            let id = match &candidate.key {
                CandidateKey::Inline => "",
                CandidateKey::Stored { id, .. } => id,
            };
            let reason = "the request allows no fallback".to_owned();
            self.leave_out(&candidate.provider, candidate.source, id, reason);
        }
    }
}

fn own_reason(key: &PlanKey, standing: Standing) -> String {
    let whose = match key.source {
        KeySource::Project => "the project's",
        KeySource::Organization => "the organisation's",
        _ => "your",
    };
    let rests = match (standing, &key.state) {
        (Standing::Resting { .. }, KeyState::QuotaExhausted(said)) => {
            format!("; it has no credit left and is tried last: {said}")
        }
        (Standing::Resting { .. }, _) => "; it is cooling down and is tried last".to_owned(),
        (Standing::Absent, _) => {
            "; the model was not found with it and it is tried last".to_owned()
        }
        (Standing::Good, _) => String::new(),
    };
    format!("{whose} own key for {}{rests}", key.provider)
}
