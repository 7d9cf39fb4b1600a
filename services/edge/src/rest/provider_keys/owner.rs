//! How a request names the owner of provider keys.

use keyward_proto::vault::v1::{Owner, OwnerKind};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::failure::Failure;
use crate::rest::parameters::PageSize;
use crate::rest::words;

/// Whose key, where the body does not say.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OwnerQuery {
    /// The kind of owner: `user`, `project`, `organization` or `system`.
    owner: Option<String>,
    /// The user, or whose project.
    user: Option<String>,
    /// The organization, or whose project.
    organization: Option<String>,
    /// The project.
    project: Option<String>,
}

impl From<OwnerQuery> for OwnerNames {
    fn from(query: OwnerQuery) -> Self {
        Self::new(query.owner, query.user, query.organization, query.project)
    }
}

/// Whose keys, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// The kind of owner: `user`, `project`, `organization` or `system`.
    owner: Option<String>,
    /// The user, or whose project.
    user: Option<String>,
    /// The organization, or whose project.
    organization: Option<String>,
    /// The project.
    project: Option<String>,
    /// At most this many.
    #[serde(default)]
    #[param(inline)]
    pub(super) page_size: PageSize,
    /// Where the page before ended: its `next_page_token`.
    #[serde(default)]
    pub(super) page_token: String,
}

impl Which {
    pub(super) fn names(self) -> OwnerNames {
        OwnerNames::new(self.owner, self.user, self.organization, self.project)
    }
}

/// How a request names an owner: by kind, by an id, or both.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::rest) struct OwnerNames {
    kind: String,
    user: String,
    organization: String,
    project: String,
}

impl OwnerNames {
    /// From what a body or a query says.
    pub(in crate::rest) fn new(
        kind: Option<String>,
        user: Option<String>,
        organization: Option<String>,
        project: Option<String>,
    ) -> Self {
        Self {
            kind: kind.unwrap_or_default(),
            user: user.unwrap_or_default(),
            organization: organization.unwrap_or_default(),
            project: project.unwrap_or_default(),
        }
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
    pub(in crate::rest) fn owner(self) -> Result<Option<Owner>, Failure> {
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
