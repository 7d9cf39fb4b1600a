//! Parameters of a query, each route's read into a type of its own: what that does not name is
//! refused, so that a misspelt one cannot silently mean the caller's own.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::body::{HAS_NUL, explain};
use super::values::Text;
use crate::failure::Failure;

/// The parameters of a request.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Failure> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    if pairs.any(|(_, value)| value.contains('\0')) {
        return Err(Failure::invalid("", HAS_NUL));
    }
    let pairs = form_urlencoded::parse(query.as_bytes());
    let pairs = serde_urlencoded::Deserializer::new(pairs);
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        explain("parameter", &path, &error.into_inner().to_string())
    })
}

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// At most this many.
    #[serde(default)]
    #[param(inline)]
    pub(crate) page_size: PageSize,
    /// Where the page before ended: its `next_page_token`.
    #[serde(default)]
    pub(crate) page_token: String,
}

/// How many things a page may have; the service's own number where nothing is said.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PageSize<const MAX: u32 = 200>(pub(crate) u32);

impl<'de, const MAX: u32> Deserialize<'de> for PageSize<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text {
            expected: match MAX {
                1000 => "a number from 1 to 1000",
                _ => "a number from 1 to 200",
            },
            read: |text| {
                let size = text.parse().ok();
                size.filter(|size| (1..=MAX).contains(size)).map(PageSize)
            },
        })
    }
}

impl<const MAX: u32> PartialSchema for PageSize<MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(MAX))
            .build()
            .into()
    }
}

impl<const MAX: u32> ToSchema for PageSize<MAX> {}

/// Whose credits or usage.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AccountNames {
    /// An account, `users/{user}` or `organizations/{organization}`.
    pub(crate) account: Option<String>,
    /// The same, for a user.
    pub(crate) user: Option<String>,
    /// The same, for an organization.
    pub(crate) organization: Option<String>,
}

impl AccountNames {
    /// The account that is named; empty for the caller's own.
    pub(crate) fn account(self) -> Result<String, Failure> {
        match (self.account, self.user, self.organization) {
            (None, None, None) => Ok(String::new()),
            (Some(account), None, None) => Ok(account),
            (None, Some(user), None) => Ok(format!("users/{user}")),
            (None, None, Some(organization)) => Ok(format!("organizations/{organization}")),
            _ => Err(Failure::invalid(
                "account",
                "give only one of `account`, `user` and `organization`",
            )),
        }
    }

    /// The account that is named, and the user whose part of it is meant; both may be empty.
    pub(crate) fn account_and_user(mut self) -> Result<(String, String), Failure> {
        let within = self.account.is_some() || self.organization.is_some();
        let user = match within {
            true => self.user.take().unwrap_or_default(),
            false => String::new(),
        };
        Ok((self.account()?, user))
    }
}

/// Whose list, and which page of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AccountPage {
    /// An account, `users/{user}` or `organizations/{organization}`.
    account: Option<String>,
    /// The same, for a user.
    user: Option<String>,
    /// The same, for an organization.
    organization: Option<String>,
    /// At most this many.
    #[serde(default)]
    #[param(inline)]
    pub(crate) page_size: PageSize,
    /// Where the page before ended: its `next_page_token`.
    #[serde(default)]
    pub(crate) page_token: String,
}

impl AccountPage {
    /// The account that is named; empty for the caller's own.
    pub(crate) fn account(&self) -> Result<String, Failure> {
        let names = AccountNames {
            account: self.account.clone(),
            user: self.user.clone(),
            organization: self.organization.clone(),
        };
        names.account()
    }
}

#[cfg(test)]
mod tests {
    use keyward_runtime::error::metadata;

    use super::{AccountNames, Page, parse};

    #[test]
    fn pages_are_read() {
        let page: Page = parse("page_size=5&page_token=a%20b").unwrap();
        assert_eq!((page.page_size.0, page.page_token.as_str()), (5, "a b"));
        let page: Page = parse("").unwrap();
        assert_eq!((page.page_size.0, page.page_token.as_str()), (0, ""));
    }

    #[test]
    fn a_nul_is_refused_however_it_is_written() {
        for query in ["page_token=a%00b", "page_token=a\0b"] {
            let failure = parse::<Page>(query).err().unwrap();
            assert!(failure.wire().message.contains("NUL"), "{query}");
        }
        assert!(parse::<Page>("page_token=a%2500b").is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, param, says) in [
            ("page_size=-1", "page_size", "a number from 1 to 200"),
            ("page_size=0", "page_size", "a number from 1 to 200"),
            ("page_size=201", "page_size", "a number from 1 to 200"),
            ("page_size=", "page_size", "a number from 1 to 200"),
            ("page_size=1&page_size=2", "page_size", "only once"),
            ("organisation=acme", "organisation", "no parameter"),
            ("sk-canary-0123456789=1", "[redacted]", "no parameter"),
        ] {
            let failure = parse::<Page>(query).err().unwrap();
            let wire = failure.wire();
            assert_eq!(wire.fact(metadata::PARAM), Some(param), "{query}");
            assert!(wire.message.contains(says), "{query}: {}", wire.message);
        }
    }

    fn names(account: &str, user: &str, organization: &str) -> AccountNames {
        let given = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        AccountNames {
            account: given(account),
            user: given(user),
            organization: given(organization),
        }
    }

    #[test]
    fn an_account_has_one_name() {
        let check = |account, user, organization, expect: Option<&str>| {
            let found = names(account, user, organization).account().ok();
            assert_eq!(found.as_deref(), expect, "{account} {user} {organization}");
        };
        check("", "", "", Some(""));
        check("users/bob", "", "", Some("users/bob"));
        check("", "bob", "", Some("users/bob"));
        check("", "", "acme", Some("organizations/acme"));
        check("", "bob", "acme", None);
        check("users/bob", "", "acme", None);
    }

    #[test]
    fn a_user_beside_an_organization_is_that_user_s_part_of_it() {
        let check = |account, user, organization, expect: Option<(&str, &str)>| {
            let found = names(account, user, organization).account_and_user().ok();
            let found = found.as_ref().map(|(a, u)| (a.as_str(), u.as_str()));
            assert_eq!(found, expect, "{account} {user} {organization}");
        };
        check("", "", "", Some(("", "")));
        check("", "bob", "", Some(("users/bob", "")));
        check("", "bob", "acme", Some(("organizations/acme", "bob")));
        check(
            "organizations/acme",
            "bob",
            "",
            Some(("organizations/acme", "bob")),
        );
        check("organizations/acme", "bob", "acme", None);
    }
}
