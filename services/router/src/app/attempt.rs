//! One attempt at one provider: what it uses, and its usage event.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use keyward_auth::Principal;
use keyward_money::{MeasuredUsage, Usage};
use keyward_proto::metering::v1::{AttemptStatus, KeySource, UsageEvent, UsageOwner, UsageSource};
use keyward_runtime::trace::Span;
use keyward_secret::Secret;

use super::dispatch::probing::Probe;
use super::health::Place;
use super::metering::{Entry, Hold};
use super::race::Lane;
use super::vault::{Lease, VaultPort};
use super::voice::Words;
use crate::domain::estimate::{self, Expected};
use crate::domain::form::Form;
use crate::domain::health::Run;
use crate::domain::plan::Candidate;
use crate::domain::providers::OPENROUTER;
use crate::domain::shown::Shown;

/// Shorter answers say nothing of a model's speed.
const TOKENS_TO_TELL_SPEED: u64 = 10;
/// What is recorded of an attempt that was one of two, and not the first to answer.
const HEDGED: &str = "hedged: another attempt answered first";
/// The longest reason that is kept.
const REASON_CHARS_MAX: usize = 500;

/// The key of an attempt, opened.
#[derive(Debug, Clone)]
pub(super) enum OpenKey {
    Inline(Arc<Secret>),
    Leased(Arc<Lease>),
}

impl OpenKey {
    pub(super) fn secret(&self) -> &Secret {
        match self {
            Self::Inline(secret) => secret,
            Self::Leased(lease) => &lease.secret,
        }
    }
}

/// An attempt under way.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) number: u32,
    pub(super) candidate: Candidate,
    /// What its provider is told.
    pub(super) words: Words,
    pub(super) key: OpenKey,
    pub(super) hold: Option<Hold>,
    /// What was held for.
    pub(super) expected: Option<Expected>,
    pub(super) entry: Entry,
    pub(super) event_id: String,
    pub(super) started: Instant,
    pub(super) start_time: jiff::Timestamp,
    pub(super) first_byte: Option<Instant>,
    /// When its first content came, of a stream.
    pub(super) committed: OnceLock<Instant>,
    pub(super) http_status: u16,
    pub(super) is_closed: AtomicBool,
    /// Where it runs, if beside another.
    pub(super) lane: Lane,
    /// What it probes, as long as it is under way.
    pub(super) _probe: Option<Box<Probe>>,
    pub(super) span: Span,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) status: AttemptStatus,
    pub(super) measured: MeasuredUsage,
    pub(super) source: UsageSource,
    /// The service tier that the provider says it served in, or the class of the images that it made;
    /// empty for the usual prices.
    pub(super) service_tier: String,
    pub(super) reason: String,
    /// Whether anything was delivered, so that there is something to charge the caller.
    pub(super) delivered: bool,
}

impl Ending {
    /// It failed and nothing was delivered.
    pub(super) fn failed(reason: String) -> Self {
        Self {
            status: AttemptStatus::Failed,
            measured: MeasuredUsage::default(),
            source: UsageSource::Estimated,
            service_tier: String::new(),
            reason,
            delivered: false,
        }
    }

    /// The caller is gone, and the provider was told to stop before it had delivered anything.
    pub(super) fn left() -> Self {
        Self {
            status: AttemptStatus::Abandoned,
            ..Self::failed(String::new())
        }
    }

    /// The same where the caller saw nothing of the answer.
    pub(super) fn unseen(self) -> Self {
        match estimate::unseen(self.measured, self.source) {
            Some(measured) => Self { measured, ..self },
            None => Self::left(),
        }
    }

    /// Another attempt answered first.
    pub(super) fn hedged(measured: MeasuredUsage, source: UsageSource) -> Self {
        Self {
            status: AttemptStatus::Hedged,
            measured,
            source,
            ..Self::failed(HEDGED.to_owned())
        }
    }

    /// Whether it is priced: for the caller what was delivered, for the platform what was needless.
    pub(super) fn is_settled(&self) -> bool {
        self.delivered || self.status == AttemptStatus::Hedged
    }

    pub(super) fn usage(&self) -> Usage {
        self.measured.usage
    }
}

/// What a usage event takes from its request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestFacts<'a> {
    pub(super) inference_id: &'a str,
    pub(super) principal: &'a Principal,
    pub(super) requested_model: &'a str,
    /// What was asked of it, as usage records name it.
    pub(super) endpoint: &'static str,
    /// Who might serve: told once, with the first attempt.
    pub(super) shown: &'a Shown,
    pub(super) vault: &'a VaultPort,
    pub(super) streamed: bool,
    pub(super) tags: &'a std::collections::HashMap<String, String>,
    pub(super) client_request_id: &'a str,
}

impl Attempt {
    /// The form in which its provider is spoken to.
    pub(super) fn form(&self) -> Form {
        self.words.form
    }

    /// Whether its event is on its way: there is never a second one.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    pub(super) fn closed(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_own(&self) -> bool {
        self.candidate.source != KeySource::System
    }

    /// The stored key and its version; none for an inline one.
    pub(super) fn stored_key(&self) -> Option<(&str, u64)> {
        let stored = self.candidate.stored()?;
        let version = match &self.key {
            OpenKey::Leased(lease) => lease.version,
            OpenKey::Inline(_) => stored.version,
        };
        Some((&stored.id, version))
    }

    /// What health remembers it by: with the version of the key that was opened.
    pub(super) fn place(&self) -> Place<'_> {
        Place {
            key: self.stored_key(),
            ..place(&self.candidate)
        }
    }

    /// How fast its answer came, which is whole now.
    pub(super) fn run(&self, streamed: bool, ending: &Ending) -> Run {
        let now = Instant::now();
        let millis = |from: Instant, until: Instant| {
            let took = until.duration_since(from).as_millis();
            u64::try_from(took).unwrap_or(u64::MAX)
        };
        let committed = self.committed.get().copied().filter(|_| streamed);
        let tokens = u64::try_from(ending.usage().completion_tokens()).unwrap_or(0);
        let is_told = ending.source == UsageSource::Reported && tokens >= TOKENS_TO_TELL_SPEED;
        Run {
            streamed,
            first_ms: millis(self.started, committed.unwrap_or(now)),
            tokens: committed
                .filter(|_| is_told)
                .map(|committed| (tokens, millis(committed, now).max(1))),
        }
    }

    pub(super) fn event(&self, request: RequestFacts<'_>, ending: &Ending) -> UsageEvent {
        let (key_id, version) = self.stored_key().unwrap_or_default();
        let lease_id = match &self.key {
            OpenKey::Leased(lease) => lease.id.clone(),
            OpenKey::Inline(_) => String::new(),
        };
        let is_own = self.is_own() && !key_id.is_empty();
        let masked = || request.vault.masked(request.principal, key_id);
        let shown = (self.number == 1).then_some(request.shown);
        let elapsed = |until: Instant| {
            u32::try_from(until.duration_since(self.started).as_millis()).unwrap_or(u32::MAX)
        };
        UsageEvent {
            event_id: self.event_id.clone(),
            inference_id: request.inference_id.to_owned(),
            attempt: self.number,
            owner: Some(owner(request.principal)),
            provider: self.candidate.provider.to_string(),
            model: self.candidate.model.to_string(),
            upstream_model: self.candidate.upstream_model.to_string(),
            key_source: self.candidate.source as i32,
            provider_key_id: key_id.to_owned(),
            key_version: version,
            lease_id,
            status: ending.status as i32,
            http_status: u32::from(self.http_status),
            reason: ending.reason.chars().take(REASON_CHARS_MAX).collect(),
            usage: Some(ending.usage().into()),
            usage_source: ending.source as i32,
            usage_inconsistent: ending.measured.inconsistent,
            first_byte_ms: self.first_byte.map_or(0, elapsed),
            duration_ms: elapsed(Instant::now()),
            start_time: Some(keyward_runtime::time::to_proto(self.start_time)),
            endpoint: request.endpoint.to_owned(),
            streamed: request.streamed,
            tags: request.tags.clone(),
            client_request_id: request.client_request_id.to_owned(),
            service_tier: ending.service_tier.clone(),
            fallback: self.candidate.is_fallback(),
            requested_model: request.requested_model.to_owned(),
            key_masked: is_own.then(masked).flatten().unwrap_or_default(),
            key_owner: key_owner(request.principal, self.candidate.source).unwrap_or_default(),
            cached: false,
            candidates: shown.map(|shown| shown.rows.clone()).unwrap_or_default(),
            candidates_omitted: shown.map_or(0, |shown| shown.omitted),
        }
    }
}

/// Whose a key of this source is; none for what is nobody's here.
fn key_owner(principal: &Principal, source: KeySource) -> Option<String> {
    let (kind, subject) = match source {
        KeySource::User => ("users", &principal.user),
        KeySource::Project => ("projects", &principal.project),
        KeySource::Organization => ("organizations", &principal.organization),
        KeySource::Inline | KeySource::System | KeySource::Unspecified => return None,
    };
    let id = &subject.as_ref()?.id;
    Some(format!("{kind}/{id}"))
}

pub(super) fn owner(principal: &Principal) -> UsageOwner {
    let uid = |subject: &Option<keyward_auth::Subject>| {
        subject
            .as_ref()
            .map(|subject| subject.uid.clone())
            .unwrap_or_default()
    };
    let id = |subject: &Option<keyward_auth::Subject>| {
        subject
            .as_ref()
            .map(|subject| subject.id.clone())
            .unwrap_or_default()
    };
    UsageOwner {
        account: principal
            .billing_account()
            .map(|account| account.key())
            .unwrap_or_default(),
        user_uid: uid(&principal.user),
        organization_uid: uid(&principal.organization),
        project_uid: uid(&principal.project),
        access_key_id: principal.access_key_id.clone(),
        user: id(&principal.user),
        project: id(&principal.project),
    }
}

/// What health remembers a candidate by.
pub(super) fn place(candidate: &Candidate) -> Place<'_> {
    Place {
        provider: &candidate.provider,
        model: &candidate.upstream_model,
        key: candidate.stored().map(|key| (key.id.as_str(), key.version)),
        is_providers: candidate.base_url().is_none(),
    }
}

/// A key source as the `x-keyward-key-source` header has it.
pub(super) fn key_source_text(candidate: &Candidate) -> String {
    let source = match candidate.source {
        KeySource::Inline => "inline",
        KeySource::User => "user",
        KeySource::Project => "project",
        KeySource::Organization => "organization",
        KeySource::System => "system",
        KeySource::Unspecified => "",
    };
    let via = if *candidate.provider == *OPENROUTER {
        ":openrouter"
    } else {
        ""
    };
    format!("{source}{via}")
}
