//! The calls of one test, in order, up to what decides.

use keyward_catalog::Dialect;
use keyward_proto::vault::v1 as vault;
use keyward_runtime::error::{Reason, chain, metadata};
use keyward_secret::Secret;
use url::Url;

use crate::app::{Core, RouteError};
use crate::domain::key_test::{Answer, Finding, TestPlan, Told, Verdict, Weight, plan, read};
use crate::domain::providers::Provider;
use crate::upstream::{AskError, Question, ask};

/// Asks the key's provider, at the key's own address where it has one.
pub(super) async fn verdict(
    core: &Core,
    key: &vault::ProviderKey,
    secret: &Secret,
) -> Result<Verdict, RouteError> {
    let provider = core.providers.get(&key.provider).ok_or_else(|| {
        let message = format!("there is no provider {:?} here", key.provider);
        RouteError::new(Reason::InvalidRequest, message).with(metadata::PARAM, "provider")
    })?;
    if provider.dialect == Dialect::Sandbox {
        let asked = ask(&core.egress, Question::Sandbox, secret).await;
        return Ok(decided(&asked));
    }
    let address = Address::of(key, provider)?;
    let api_version = key.settings.as_ref().map_or("", |s| s.api_version.as_str());
    let plan = plan(&key.provider, provider.dialect, &address.base, api_version);
    Ok(follow(core, &plan, &address, secret).await)
}

async fn follow(core: &Core, plan: &TestPlan, address: &Address, secret: &Secret) -> Verdict {
    let mut verdict: Option<Verdict> = None;
    let mut is_absent = false;
    for call in &plan.calls {
        let is_wanted = match call.weight {
            Weight::Decides => true,
            Weight::DecidesInstead => is_absent,
            Weight::Adds => verdict
                .as_ref()
                .is_some_and(|verdict| verdict.finding == Finding::Accepted),
        };
        if !is_wanted {
            continue;
        }
        let question = Question::Http {
            url: &call.url,
            header: plan.key,
            besides: plan.besides,
            is_operators_address: address.is_operators,
        };
        let asked = ask(&core.egress, question, secret).await;
        match (&mut verdict, call.weight, &asked) {
            (Some(verdict), Weight::Adds, Ok((200, body))) => verdict.and(Told::read(body)),
            (_, Weight::Adds, _) => {}
            _ => {
                is_absent = matches!(&asked, Ok((status, body))
                    if Answer { status: *status, body }.is_absent());
                verdict = Some(decided(&asked));
            }
        }
    }
    verdict.unwrap_or_else(|| Verdict::bare(Finding::NotTold, String::new()))
}

/// What came of a call that decides.
fn decided(asked: &Result<(u16, bytes::Bytes), AskError>) -> Verdict {
    let finding = match asked {
        Ok((status, body)) => {
            return read(Answer {
                status: *status,
                body,
            });
        }
        Err(AskError::Send(_)) => Finding::Unreachable,
        Err(AskError::TimedOut) => Finding::TimedOut,
        Err(AskError::Body(_)) => Finding::ProviderFailed,
        Err(AskError::TooLarge) => Finding::NotTold,
    };
    if let Err(error) = asked {
        tracing::debug!(error = %chain(error), "a test of a key got no answer");
    }
    let said = asked.as_ref().err().map(ToString::to_string);
    Verdict::bare(finding, said.unwrap_or_default())
}

/// Where a key is tested: where its requests go.
struct Address {
    base: Url,
    /// Whether it is from the operator's settings, and so needs no guard.
    is_operators: bool,
}

impl Address {
    fn of(key: &vault::ProviderKey, provider: &Provider) -> Result<Self, RouteError> {
        let endpoint = key.settings.as_ref().map_or("", |s| s.endpoint.as_str());
        let own = [key.base_url.as_str(), endpoint];
        let own = own.into_iter().find(|url| !url.is_empty());
        let parse = |url: &str| Url::parse(url).ok();
        let (base, is_operators) = match own {
            Some(own) => (parse(own), false),
            None => (provider.base_url.clone(), provider.is_operators_address),
        };
        let message = "it is not known where this provider is: give `base_url`";
        let base = base.ok_or_else(|| {
            RouteError::new(Reason::InvalidRequest, message).with(metadata::PARAM, "base_url")
        })?;
        Ok(Self { base, is_operators })
    }
}
