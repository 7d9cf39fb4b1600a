//! Limits at admission: the access key's own always, the account's by its tier where the platform's
//! key serves. What was taken is made good when the request is over.

use keyward_limits::{Ask, Limits, Rule, Scope, Standings, Ticket, Turned};
use keyward_money::Usage;
use keyward_proto::metering::v1::KeySource;
use keyward_runtime::error::{Reason, metadata};
use parking_lot::Mutex;

use super::RouteError;
use super::dispatch::Dispatch;
use crate::domain::plan::{Candidate, Plan};
use crate::domain::rate_limits;

/// By what a request was let in.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// Handed back when the request is over.
    tickets: Mutex<Vec<Ticket>>,
    /// How all limits stood when it was let in.
    standings: Mutex<Standings>,
    /// What the account's limits said, once they were asked.
    account: Mutex<Option<Result<(), RouteError>>>,
}

impl Dispatch {
    /// Lets the request in by the access key's own limits; by all that apply at once, where the
    /// platform's key is the first to serve and no own key's failure is to be told instead.
    pub(super) async fn enter(&self, plan: &Plan) -> Result<(), RouteError> {
        let Some(first) = plan.candidates.first() else {
            return Ok(());
        };
        let mut rules: Vec<Rule> = self.access_key_rule().into_iter().collect();
        let asks_account = first.source == KeySource::System && plan.refusal.is_none();
        if asks_account {
            rules.extend(self.account_rule().await);
        }
        self.ask(first, rules).await?;
        *self.admission.account.lock() = asks_account.then_some(Ok(()));
        Ok(())
    }

    /// Lets the request be served by the platform's key; asked once.
    pub(super) async fn enter_account(&self, candidate: &Candidate) -> Result<(), RouteError> {
        let known = self.admission.account.lock().clone();
        if let Some(known) = known {
            return known;
        }
        let rules: Vec<Rule> = self.account_rule().await.into_iter().collect();
        let asked = self.ask(candidate, rules).await;
        *self.admission.account.lock() = Some(asked.clone());
        asked
    }

    /// The request is over: slots are free, tokens are what was used. Once done, it stays done.
    pub(super) async fn leave(&self, used: Usage) {
        let tickets = std::mem::take(&mut *self.admission.tickets.lock());
        let used = tokens(&used);
        for ticket in tickets {
            self.core.gate.leave(ticket, used).await;
        }
    }

    /// What an answer says of limits. With an own key the provider's own are told.
    pub(super) fn limit_headers(&self, is_own: bool) -> Vec<(String, String)> {
        let standings = self.admission.standings.lock();
        let figures = (!is_own).then(|| rate_limits::headers(&standings));
        let mode = standings
            .is_degraded
            .then(|| (rate_limits::MODE.0, rate_limits::MODE.1.to_owned()));
        let all = figures.into_iter().flatten().chain(mode);
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    async fn ask(&self, candidate: &Candidate, rules: Vec<Rule>) -> Result<(), RouteError> {
        let account = self.behalf.principal().billing_account();
        let Some(account) = account.filter(|_| !rules.is_empty()) else {
            return Ok(());
        };
        let counts_tokens = rules
            .iter()
            .any(|rule| rule.limits.tokens_per_minute.is_some());
        let tokens = match counts_tokens {
            true => tokens(&self.expected(candidate).await.usage),
            false => 0,
        };
        let ask = Ask {
            account: account.subject().uid.clone(),
            rules,
            tokens,
        };
        match self.core.gate.enter(&ask, &self.inference_id).await {
            Ok(ticket) => {
                let mut standings = self.admission.standings.lock();
                *standings = std::mem::take(&mut *standings).and(&ticket.standings);
                drop(standings);
                self.admission.tickets.lock().push(ticket);
                Ok(())
            }
            Err(turned) => {
                self.core.meters.turned(&turned);
                Err(turned_away(&turned))
            }
        }
    }

    fn access_key_rule(&self) -> Option<Rule> {
        let principal = self.behalf.principal();
        let limits = Limits::of(
            principal.limits.requests_per_minute,
            principal.limits.tokens_per_minute,
            principal.limits.concurrency,
        );
        (limits != Limits::default()).then(|| Rule {
            scope: Scope::AccessKey,
            id: principal.access_key_id.clone(),
            limits,
        })
    }

    /// The limits of who pays, by the tier.
    async fn account_rule(&self) -> Option<Rule> {
        let principal = self.behalf.principal();
        let (scope, subject) = match (&principal.organization, &principal.user) {
            (Some(organization), _) => (Scope::Organization, organization),
            (None, Some(user)) => (Scope::User, user),
            (None, None) => return None,
        };
        let limits = self.core.metering.tier_limits(&principal.tier).await;
        (limits != Limits::default()).then(|| Rule {
            scope,
            id: subject.uid.clone(),
            limits,
        })
    }
}

fn tokens(usage: &Usage) -> u64 {
    let all = usage
        .prompt_tokens()
        .saturating_add(usage.completion_tokens());
    u64::try_from(all).unwrap_or(0)
}

fn turned_away(turned: &Turned) -> RouteError {
    let refused = match turned {
        Turned::Refused(refused) => refused,
        Turned::TooLarge(large) => {
            let message = rate_limits::too_large(large);
            return RouteError::new(Reason::RequestTooLarge, message)
                .with(metadata::LIMIT_SCOPE, large.scope.as_str());
        }
    };
    let message = rate_limits::refused(refused);
    let mut error = RouteError::new(Reason::RateLimitExceeded, message)
        .with(metadata::LIMIT_SCOPE, refused.scope.as_str())
        .with(
            metadata::RETRY_AFTER_MS,
            rate_limits::wait_ms(refused).to_string(),
        );
    for (name, value) in rate_limits::headers(&refused.standings) {
        error = error.with(name, value);
    }
    match refused.standings.is_degraded {
        true => error.with(rate_limits::MODE.0, rate_limits::MODE.1),
        false => error,
    }
}
