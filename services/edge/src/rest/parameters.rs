//! Parameters of a query: taken by name; what nobody takes is refused, so that a misspelt one cannot
//! silently mean the caller's own.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;

use crate::failure::Failure;

/// The parameters of a request.
#[derive(Debug)]
pub(crate) struct Parameters(Vec<(String, String)>);

/// Which page of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) size: u32,
    pub(crate) token: String,
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(pairs)| Self(pairs))
            .map_err(|_| Failure::invalid("", "the query cannot be read"))
    }
}

impl Parameters {
    /// A parameter's value; empty where it is absent.
    pub(crate) fn take(&mut self, name: &'static str) -> Result<String, Failure> {
        let mut values = self.0.extract_if(.., |(found, _)| found == name);
        let value = values.next().map(|(_, value)| value).unwrap_or_default();
        match values.next() {
            None => Ok(value),
            Some(_) => Err(Failure::invalid(
                name,
                format!("the parameter `{name}` may come only once"),
            )),
        }
    }

    /// `page_size` and `page_token`.
    pub(crate) fn page(&mut self) -> Result<Page, Failure> {
        let size = match self.take("page_size")?.as_str() {
            "" => 0,
            size => size
                .parse()
                .map_err(|_| Failure::invalid("page_size", "expected a number from 1 to 200"))?,
        };
        Ok(Page {
            size,
            token: self.take("page_token")?,
        })
    }

    /// The account that `account`, `user` or `organization` names; empty for the caller's own.
    pub(crate) fn account(&mut self) -> Result<String, Failure> {
        let account = self.take("account")?;
        let user = self.take("user")?;
        let organization = self.take("organization")?;
        match (account.as_str(), user.as_str(), organization.as_str()) {
            (_, "", "") => Ok(account),
            ("", user, "") => Ok(format!("users/{user}")),
            ("", "", organization) => Ok(format!("organizations/{organization}")),
            _ => Err(Failure::invalid(
                "account",
                "give only one of `account`, `user` and `organization`",
            )),
        }
    }

    /// Refuses what nobody took.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => {
                let name = super::body::shown(&name);
                let message = format!("there is no parameter {name} here");
                Err(Failure::invalid(name, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Page, Parameters};

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Parameters(pairs.iter().map(owned).collect())
    }

    #[test]
    fn pages_are_read() {
        let mut some = parameters(&[("page_size", "5"), ("page_token", "abc")]);
        let page = Page {
            size: 5,
            token: "abc".to_owned(),
        };
        assert_eq!(some.page().unwrap(), page);
        assert!(some.finish().is_ok());
        assert_eq!(parameters(&[]).page().unwrap(), Page::default());
        assert!(parameters(&[("page_size", "-1")]).page().is_err());
    }

    #[test]
    fn an_account_has_one_name() {
        let check = |pairs: &[(&str, &str)], expect: Option<&str>| {
            let found = parameters(pairs).account().ok();
            assert_eq!(found.as_deref(), expect, "{pairs:?}");
        };
        check(&[], Some(""));
        check(&[("account", "users/bob")], Some("users/bob"));
        check(&[("user", "bob")], Some("users/bob"));
        check(&[("organization", "acme")], Some("organizations/acme"));
        check(&[("user", "bob"), ("organization", "acme")], None);
        check(&[("user", "bob"), ("user", "eve")], None);
    }

    #[test]
    fn what_nobody_takes_is_refused() {
        assert!(parameters(&[("organisation", "acme")]).finish().is_err());
    }
}
