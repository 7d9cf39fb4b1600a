//! `/api/v1/access-keys[/{id}]`: the secret is in the answer to the one that issues it, and nowhere
//! else.

use axum::extract::State;
use http::StatusCode;
use keyward_auth::Scope;
use keyward_proto::vault::v1::{
    AccessKey, AccessKeyLimits, CreateAccessKeyRequest, GetAccessKeyRequest, ListAccessKeysRequest,
    RevokeAccessKeyRequest,
};
use keyward_runtime::ids;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Given;
use super::location::At;
use super::parameters::Parameters;
use super::reply::{Outcome, Reply, Resource};
use super::values::{ScopeName, Time, null_or, present, time_text};
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccessKey {
    user: Option<String>,
    organization: Option<String>,
    project: Option<String>,
    #[serde(default, deserialize_with = "null_or")]
    label: String,
    scopes: Vec<ScopeName>,
    expires_at: Option<Time>,
    #[serde(default, deserialize_with = "null_or")]
    allowed_models: Vec<String>,
    limits: Option<Limits>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    #[serde(default, deserialize_with = "null_or")]
    requests_per_minute: u64,
    #[serde(default, deserialize_with = "null_or")]
    tokens_per_minute: u64,
    #[serde(default, deserialize_with = "null_or")]
    concurrency: u64,
}

impl NewAccessKey {
    fn into_proto(self) -> AccessKey {
        let scope = |ScopeName(scope): &ScopeName| scope.to_proto().into();
        AccessKey {
            user: self.user.unwrap_or_default(),
            organization: self.organization.unwrap_or_default(),
            project: self.project.unwrap_or_default(),
            label: self.label,
            scopes: self.scopes.iter().map(scope).collect(),
            expire_time: self.expires_at.map(Time::to_proto),
            allowed_models: self.allowed_models,
            limits: self.limits.map(|limits| AccessKeyLimits {
                requests_per_minute: limits.requests_per_minute,
                tokens_per_minute: limits.tokens_per_minute,
                concurrency: limits.concurrency,
            }),
            ..AccessKey::default()
        }
    }
}

impl Resource for AccessKey {
    const LIST: &'static str = "access_keys";

    fn into_json(self) -> Value {
        let scopes = self.scopes.iter().copied().filter_map(Scope::from_proto);
        let scopes: Vec<&str> = scopes.map(Scope::as_str).collect();
        let limits = self.limits.unwrap_or_default();
        json!({
            "id": self.access_key_id,
            "user": present(self.user),
            "organization": present(self.organization),
            "project": present(self.project),
            "label": self.label,
            "scopes": scopes,
            "expires_at": time_text(self.expire_time.as_ref()),
            "allowed_models": self.allowed_models,
            "limits": {
                "requests_per_minute": set(limits.requests_per_minute),
                "tokens_per_minute": set(limits.tokens_per_minute),
                "concurrency": set(limits.concurrency),
            },
            "masked_key": self.masked_key,
            "created_at": time_text(self.create_time.as_ref()),
            "revoked_at": time_text(self.revoke_time.as_ref()),
        })
    }
}

/// A limit; `None` for none, which the contract writes as 0.
fn set(limit: u64) -> Option<u64> {
    (limit > 0).then_some(limit)
}

pub(crate) async fn create(
    State(services): State<Services>,
    call: Call,
    mut parameters: Parameters,
    Given(mut new): Given<NewAccessKey>,
) -> Outcome {
    let (user, organization) = (parameters.take("user")?, parameters.take("organization")?);
    parameters.finish()?;
    new.user = new.user.or(present(user));
    new.organization = new.organization.or(present(organization));
    let request = call.request(CreateAccessKeyRequest {
        request_id: ids::new_text(),
        access_key: Some(new.into_proto()),
    });
    let answer = services.identity().create_access_key(request).await?;
    let answer = answer.into_inner();
    let access_key = answer
        .access_key
        .ok_or_else(|| Failure::broken_contract("no access key in the answer"))?;
    let mut body = access_key.into_json();
    body["secret"] = answer.secret.into();
    Ok(Reply::json(StatusCode::CREATED, body))
}

pub(crate) async fn get(
    State(services): State<Services>,
    call: Call,
    At(access_key_id): At<String>,
) -> Outcome {
    let request = call.request(GetAccessKeyRequest { access_key_id });
    let answer = services.identity().get_access_key(request).await?;
    Reply::resource(answer.into_inner().access_key)
}

pub(crate) async fn list(
    State(services): State<Services>,
    call: Call,
    mut parameters: Parameters,
) -> Outcome {
    let (user, organization) = (parameters.take("user")?, parameters.take("organization")?);
    let page = parameters.page()?;
    parameters.finish()?;
    let request = call.request(ListAccessKeysRequest {
        user,
        organization,
        page_size: page.size,
        page_token: page.token,
    });
    let answer = services.identity().list_access_keys(request).await?;
    let answer = answer.into_inner();
    Ok(Reply::list(answer.access_keys, answer.next_page_token))
}

pub(crate) async fn revoke(
    State(services): State<Services>,
    call: Call,
    At(access_key_id): At<String>,
) -> Outcome {
    let request = call.request(RevokeAccessKeyRequest {
        request_id: ids::new_text(),
        access_key_id,
    });
    services.identity().revoke_access_key(request).await?;
    Ok(Reply::gone())
}
