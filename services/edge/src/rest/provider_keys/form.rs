//! The JSON form of provider keys and their owners.

use std::collections::BTreeMap;

use keyward_proto::vault::v1::{Owner, OwnerKind, ProviderKey, ProviderKeySettings};
use prost_types::FieldMask;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::rest::parameters::Parameters;
use crate::rest::reply::Resource;
use crate::rest::values::{Change, SecretText, Time, mask, null_or, present, time_text};
use crate::rest::words;

/// What makes a provider key.
#[derive(Deserialize)]
#[serde(from = "Fields")]
pub(crate) struct NewProviderKey {
    pub(super) owner: OwnerNames,
    pub(super) provider: String,
    pub(super) key: SecretText,
    pub(super) label: String,
    pub(super) base_url: String,
    pub(super) settings: Option<Settings>,
    pub(super) expires_at: Option<Time>,
    pub(super) weight: Option<u32>,
}

/// The same as it is written: the owner's fields one by one, as a flattened struct would let unknown
/// fields through.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    provider: String,
    key: SecretText,
    owner: Option<String>,
    user: Option<String>,
    organization: Option<String>,
    project: Option<String>,
    #[serde(default, deserialize_with = "null_or")]
    label: String,
    base_url: Option<String>,
    settings: Option<Settings>,
    expires_at: Option<Time>,
    weight: Option<u32>,
}

impl From<Fields> for NewProviderKey {
    fn from(fields: Fields) -> Self {
        Self {
            owner: OwnerNames {
                kind: fields.owner.unwrap_or_default(),
                user: fields.user.unwrap_or_default(),
                organization: fields.organization.unwrap_or_default(),
                project: fields.project.unwrap_or_default(),
            },
            provider: fields.provider,
            key: fields.key,
            label: fields.label,
            base_url: fields.base_url.unwrap_or_default(),
            settings: fields.settings,
            expires_at: fields.expires_at,
            weight: fields.weight,
        }
    }
}

/// Settings beside the secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    endpoint: Option<String>,
    api_version: Option<String>,
    #[serde(default, deserialize_with = "null_or")]
    deployments: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "null_or")]
    skip_format_check: bool,
}

impl From<Settings> for ProviderKeySettings {
    fn from(settings: Settings) -> Self {
        Self {
            endpoint: settings.endpoint.unwrap_or_default(),
            api_version: settings.api_version.unwrap_or_default(),
            deployments: settings.deployments,
            skip_format_check: settings.skip_format_check,
        }
    }
}

/// What can be changed without the secret. `"expires_at": null` makes a key last.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Update {
    pub(super) label: Option<String>,
    pub(super) enabled: Option<bool>,
    pub(super) weight: Option<u32>,
    #[serde(default)]
    pub(super) expires_at: Change<Time>,
}

impl Update {
    pub(super) fn mask(&self) -> Result<FieldMask, Failure> {
        mask(&[
            ("label", self.label.is_some()),
            ("enabled", self.enabled.is_some()),
            ("weight", self.weight.is_some()),
            ("expire_time", self.expires_at.is_given()),
        ])
    }
}

/// A new secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    pub(super) key: SecretText,
}

/// How a request names an owner: by kind, by an id, or both.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OwnerNames {
    kind: String,
    user: String,
    organization: String,
    project: String,
}

impl OwnerNames {
    /// From a query.
    pub(super) fn take(parameters: &mut Parameters) -> Result<Self, Failure> {
        Ok(Self {
            kind: parameters.take("owner")?,
            user: parameters.take("user")?,
            organization: parameters.take("organization")?,
            project: parameters.take("project")?,
        })
    }

    /// Each name from here, or else from `other`.
    pub(super) fn or(self, other: Self) -> Self {
        let either = |here: String, there: String| if here.is_empty() { there } else { here };
        Self {
            kind: either(self.kind, other.kind),
            user: either(self.user, other.user),
            organization: either(self.organization, other.organization),
            project: either(self.project, other.project),
        }
    }

    /// The owner; `None` for the calling user. An owner without an id is the one that the caller
    /// acts in. A project is named together with who it belongs to, or by its id alone.
    pub(super) fn owner(self) -> Result<Option<Owner>, Failure> {
        let names = self.with_whole_project();
        let ids = [
            (OwnerKind::User, names.user),
            (OwnerKind::Organization, names.organization),
            (OwnerKind::Project, names.project),
        ];
        let mut named = ids.into_iter().filter(|(_, id)| !id.is_empty());
        let (first, second) = (named.next(), named.next());
        let kind = match names.kind.as_str() {
            "" => None,
            word => Some(words::owner_kind_of(word).ok_or_else(|| {
                Failure::invalid(
                    "owner",
                    "expected `user`, `project`, `organization` or `system`",
                )
            })?),
        };
        let (kind, id) = match (kind, first, second) {
            (_, _, Some(_)) => {
                let message = "give `user`, `organization`, or a `project` of one of them";
                return Err(Failure::invalid("owner", message));
            }
            (None | Some(OwnerKind::User), None, None) => return Ok(None),
            (Some(kind), None, None) => (kind, String::new()),
            (Some(kind), Some((other, _)), None) if kind != other => {
                let message = "the owner is of another kind than the id that is given";
                return Err(Failure::invalid("owner", message));
            }
            (_, Some((kind, id)), None) => (kind, id),
        };
        Ok(Some(Owner {
            kind: kind.into(),
            id,
        }))
    }

    /// With the holder in front of the project's id, where both are given.
    fn with_whole_project(mut self) -> Self {
        let holders = match (self.user.is_empty(), self.organization.is_empty()) {
            (false, true) => "users",
            (true, false) => "organizations",
            _ => return self,
        };
        if !self.project.is_empty() {
            let holder = std::mem::take(&mut self.user) + &std::mem::take(&mut self.organization);
            self.project = format!("{holders}/{holder}/projects/{}", self.project);
        }
        self
    }
}

impl Resource for ProviderKey {
    const LIST: &'static str = "provider_keys";

    fn into_json(self) -> Value {
        let owner = self.owner.unwrap_or_default();
        json!({
            "id": self.provider_key_id,
            "provider": self.provider,
            "owner": words::owner_kind(owner.kind),
            "owner_id": present(owner.id),
            "label": self.label,
            "masked_key": self.masked_key,
            "fingerprint": self.fingerprint,
            "status": words::key_status(self.status),
            "status_reason": present(self.status_reason),
            "enabled": self.enabled,
            "version": self.version,
            "base_url": present(self.base_url),
            "settings": settings_json(self.settings.unwrap_or_default()),
            "weight": self.weight,
            "created_at": time_text(self.create_time.as_ref()),
            "updated_at": time_text(self.update_time.as_ref()),
            "expires_at": time_text(self.expire_time.as_ref()),
            "last_used_at": time_text(self.last_used_time.as_ref()),
            "last_tested_at": time_text(self.last_tested_time.as_ref()),
        })
    }

    fn etag(&self) -> Option<&str> {
        Some(&self.etag)
    }
}

/// Only what is set.
fn settings_json(settings: ProviderKeySettings) -> Value {
    let mut json = json!({});
    if let Some(endpoint) = present(settings.endpoint) {
        json["endpoint"] = endpoint.into();
    }
    if let Some(api_version) = present(settings.api_version) {
        json["api_version"] = api_version.into();
    }
    if !settings.deployments.is_empty() {
        json["deployments"] = json!(settings.deployments);
    }
    if settings.skip_format_check {
        json["skip_format_check"] = true.into();
    }
    json
}

#[cfg(test)]
mod tests {
    use keyward_proto::vault::v1::{Owner, OwnerKind};

    use super::OwnerNames;

    fn check(names: [&str; 4], expect: Result<Option<(OwnerKind, &str)>, ()>) {
        let [kind, user, organization, project] = names.map(str::to_owned);
        let names = OwnerNames {
            kind,
            user,
            organization,
            project,
        };
        let told = format!("{names:?}");
        let expect = expect.map(|owner| {
            owner.map(|(kind, id)| Owner {
                kind: kind.into(),
                id: id.to_owned(),
            })
        });
        assert_eq!(names.owner().map_err(drop), expect, "{told}");
    }

    #[test]
    fn an_owner_is_named_by_kind_or_id() {
        use OwnerKind::{Organization, Project, System, User};
        check(["", "", "", ""], Ok(None));
        check(["user", "", "", ""], Ok(None));
        check(["user", "bob", "", ""], Ok(Some((User, "bob"))));
        check(["", "bob", "", ""], Ok(Some((User, "bob"))));
        check(["organization", "", "", ""], Ok(Some((Organization, ""))));
        check(
            ["organization", "", "acme", ""],
            Ok(Some((Organization, "acme"))),
        );
        check(["", "", "", "web"], Ok(Some((Project, "web"))));
        check(["system", "", "", ""], Ok(Some((System, ""))));
        check(["system", "bob", "", ""], Err(()));
        check(["organization", "bob", "", ""], Err(()));
        check(["", "bob", "acme", ""], Err(()));
        check(["", "bob", "acme", "web"], Err(()));
        check(
            ["project", "", "acme", "web"],
            Ok(Some((Project, "organizations/acme/projects/web"))),
        );
        check(
            ["", "bob", "", "web"],
            Ok(Some((Project, "users/bob/projects/web"))),
        );
        check(["team", "", "", ""], Err(()));
    }
}
