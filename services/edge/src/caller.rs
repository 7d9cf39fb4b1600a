//! The caller's credential: read from HTTP, passed on as gRPC metadata. But for its place in a trace,
//! nothing else of a caller's headers reaches a service, so the metadata that services use among
//! themselves cannot be smuggled in.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Uri, header};
use keyward_auth::metadata;
use keyward_runtime::error::Reason;
use keyward_secret::Secret;
use tonic::Request;
use tonic::metadata::AsciiMetadataValue;

use crate::failure::Failure;
use crate::inference::Language;
use crate::names;

/// The longest credential: JSON web tokens of large issuers stay below 8 KiB.
const CREDENTIAL_BYTES_MAX: usize = 16 * 1024;

/// The longest name of an organisation (`[a-z0-9][a-z0-9._-]{0,62}`).
const ORGANIZATION_BYTES_MAX: usize = 63;

/// In whose name services are called.
#[derive(Clone)]
pub(crate) struct Call {
    authorization: AsciiMetadataValue,
    organization: Option<AsciiMetadataValue>,
}

impl Call {
    /// A request to a service in the caller's name.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let map = request.metadata_mut();
        map.insert(metadata::AUTHORIZATION, self.authorization.clone());
        if let Some(organization) = &self.organization {
            map.insert(metadata::ORGANIZATION, organization.clone());
        }
        request
    }
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self {
            authorization: authorization(&credential(
                &parts.headers,
                in_query(&parts.method, &parts.uri),
            )?)?,
            organization: organization(&parts.headers)?,
        })
    }
}

/// The credential of an address in Gemini's form, where its callers may put it. Queries are never
/// logged.
fn in_query(method: &Method, uri: &Uri) -> Option<Secret> {
    if Language::of(method, uri.path()) != Language::Google {
        return None;
    }
    let mut pairs = uri.query().unwrap_or("").split('&');
    let key = pairs.find_map(|pair| pair.strip_prefix("key="))?;
    // What access keys and tokens are made of needs no escapes.
    (!key.is_empty()).then(|| Secret::new(key))
}

/// The one credential of a request, from whichever header its SDK uses.
fn credential(headers: &HeaderMap, in_query: Option<Secret>) -> Result<Secret, Failure> {
    let mut found = in_query;
    for name in [
        header::AUTHORIZATION,
        names::X_API_KEY,
        names::X_GOOG_API_KEY,
    ] {
        for value in headers.get_all(&name) {
            let shown = value.to_str().map_err(|_| unusable(&name))?;
            let secret = match name == header::AUTHORIZATION {
                true => bearer(shown)?,
                false => Secret::new(shown.trim()),
            };
            if secret.is_empty() || secret.expose().len() > CREDENTIAL_BYTES_MAX {
                return Err(unusable(&name));
            }
            match &found {
                Some(earlier) if *earlier != secret => {
                    return Err(Failure::invalid(
                        name.as_str(),
                        "the request carries several different credentials; send one",
                    ));
                }
                _ => found = Some(secret),
            }
        }
    }
    found.ok_or_else(Failure::no_credential)
}

fn bearer(shown: &str) -> Result<Secret, Failure> {
    match shown.trim().split_once(' ') {
        Some((scheme, credential)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Secret::new(credential.trim()))
        }
        _ => Err(unusable(&header::AUTHORIZATION)),
    }
}

fn unusable(name: &HeaderName) -> Failure {
    let form = match *name == header::AUTHORIZATION {
        true => "`Bearer kw_…`",
        false => "an access key",
    };
    Failure::new(
        Reason::InvalidAccessKey,
        format!("the header `{name}` does not hold {form}"),
    )
}

fn authorization(credential: &Secret) -> Result<AsciiMetadataValue, Failure> {
    let text = Secret::new(format!("Bearer {}", credential.expose()));
    let mut value = AsciiMetadataValue::try_from(text.expose())
        .map_err(|_| unusable(&header::AUTHORIZATION))?;
    value.set_sensitive(true);
    Ok(value)
}

fn organization(headers: &HeaderMap) -> Result<Option<AsciiMetadataValue>, Failure> {
    let Some(text) = only(headers, &names::ORGANIZATION)? else {
        return Ok(None);
    };
    if text.len() > ORGANIZATION_BYTES_MAX {
        return Err(Failure::invalid(
            names::ORGANIZATION.as_str(),
            "not the id of an organization",
        ));
    }
    Ok(AsciiMetadataValue::try_from(text).ok())
}

/// The value of a header that may come once, in printable ASCII; `None` where it is absent or empty.
pub(crate) fn only<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, Failure> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        let message = format!("the header `{name}` may come only once");
        return Err(Failure::invalid(name.as_str(), message));
    }
    let text = value.to_str().map_err(|_| {
        let message = format!("the header `{name}` may hold printable ASCII only");
        Failure::invalid(name.as_str(), message)
    })?;
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method};
    use keyward_runtime::error::Reason;

    use super::{Secret, authorization, credential};

    fn check(headers: &[(&'static str, &'static str)], expect: Result<&str, Reason>) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect();
        let found = credential(&headers, None);
        let found = found
            .as_ref()
            .map(Secret::expose)
            .map_err(|failure| failure.wire().reason);
        assert_eq!(found, expect, "{headers:?}");
    }

    #[test]
    fn a_credential_is_found_in_whichever_header_an_sdk_uses() {
        check(&[("authorization", "Bearer kw_1")], Ok("kw_1"));
        check(&[("authorization", "bearer  kw_1 ")], Ok("kw_1"));
        check(&[("x-api-key", "kw_1")], Ok("kw_1"));
        check(&[("x-goog-api-key", "kw_1")], Ok("kw_1"));
        check(
            &[("authorization", "Bearer kw_1"), ("x-api-key", "kw_1")],
            Ok("kw_1"),
        );
    }

    #[test]
    fn only_geminis_addresses_may_hold_the_credential() {
        let check = |uri: &str, expect: Option<&str>| {
            let found = super::in_query(&Method::POST, &uri.parse().unwrap());
            assert_eq!(found.as_ref().map(Secret::expose), expect, "{uri}");
        };
        check("/v1beta/models?key=kw_1", Some("kw_1"));
        check(
            "/v1beta/models/m:generateContent?alt=sse&key=kw_1",
            Some("kw_1"),
        );
        check("/v1/models/m:generateContent?key=kw_1", Some("kw_1"));
        check("/v1beta/models?key=", None);
        check("/v1beta/models", None);
        check("/v1/models?key=kw_1", None);
        let mut headers = HeaderMap::new();
        headers.insert("x-goog-api-key", HeaderValue::from_static("kw_2"));
        let both = credential(&headers, Some(Secret::new("kw_1")));
        assert_eq!(both.unwrap_err().wire().reason, Reason::InvalidRequest);
    }

    #[test]
    fn what_is_no_credential_or_several_is_refused() {
        check(&[], Err(Reason::InvalidAccessKey));
        check(
            &[("authorization", "Basic YTpi")],
            Err(Reason::InvalidAccessKey),
        );
        check(
            &[("authorization", "Bearer")],
            Err(Reason::InvalidAccessKey),
        );
        check(
            &[("authorization", "Bearer ")],
            Err(Reason::InvalidAccessKey),
        );
        check(&[("x-api-key", " ")], Err(Reason::InvalidAccessKey));
        check(
            &[("authorization", "Bearer kw_1"), ("x-api-key", "kw_2")],
            Err(Reason::InvalidRequest),
        );
    }

    #[test]
    fn the_forwarded_credential_is_marked_as_sensitive() {
        let value = authorization(&Secret::new("kw_1")).unwrap();
        assert!(value.is_sensitive());
        assert_eq!(value, "Bearer kw_1");
    }
}
