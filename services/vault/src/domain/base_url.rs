//! Which addresses the owner of a key may send it to. Names are not resolved here: the router
//! checks addresses at every connect.

use keyward_runtime::private_allow::{PrivateAllow, RefusedUrl};
use url::Url;

/// The longest base URL: far above any provider's.
const URL_BYTES_MAX: usize = 1024;

/// Why a base URL is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// No URL with a host, or too long.
    #[error("the base URL is not a URL of the form https://HOST/PATH")]
    Form,
    /// Not https.
    #[error("the base URL must start with https://")]
    Scheme,
    /// A name or password within it.
    #[error("the base URL must not have a user name or password in it")]
    UserInfo,
    /// A query or fragment.
    #[error("the base URL must not have a query or fragment")]
    Query,
    /// An address instead of a name.
    #[error("the base URL must name a host, not an IP address")]
    Literal,
    /// Another port than 443.
    #[error("the base URL must not name a port")]
    Port,
}

impl From<RefusedUrl> for BaseUrlError {
    fn from(refused: RefusedUrl) -> Self {
        match refused {
            RefusedUrl::Host => Self::Form,
            RefusedUrl::Scheme => Self::Scheme,
            RefusedUrl::UserInfo => Self::UserInfo,
            RefusedUrl::Literal => Self::Literal,
            RefusedUrl::Port => Self::Port,
        }
    }
}

/// Checks a base URL, and returns it in its normal form without a slash at the end.
///
/// # Errors
/// [`BaseUrlError`], which says what is wrong with it.
pub fn check_base_url(text: &str, allow: &PrivateAllow) -> Result<String, BaseUrlError> {
    let text = text.trim();
    if text.len() > URL_BYTES_MAX {
        return Err(BaseUrlError::Form);
    }
    let url = Url::parse(text).map_err(|_| BaseUrlError::Form)?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(BaseUrlError::Query);
    }
    allow.check(&url)?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_https_names_pass_by_default() {
        let none = PrivateAllow::default();
        for (url, expect) in [
            ("https://llm.example/v1", Ok("https://llm.example/v1")),
            (" https://LLM.example/v1/ ", Ok("https://llm.example/v1")),
            ("https://llm.example:443", Ok("https://llm.example")),
            ("http://llm.example", Err(BaseUrlError::Scheme)),
            ("ftp://llm.example", Err(BaseUrlError::Scheme)),
            ("https://llm.example:8443", Err(BaseUrlError::Port)),
            ("https://bob:pw@llm.example", Err(BaseUrlError::UserInfo)),
            ("https://bob@llm.example", Err(BaseUrlError::UserInfo)),
            ("https://llm.example?x=1", Err(BaseUrlError::Query)),
            ("https://llm.example/#x", Err(BaseUrlError::Query)),
            ("https://127.0.0.1", Err(BaseUrlError::Literal)),
            ("https://2130706433/", Err(BaseUrlError::Literal)),
            ("https://0x7f.1/", Err(BaseUrlError::Literal)),
            ("https://[::1]/", Err(BaseUrlError::Literal)),
            ("https://", Err(BaseUrlError::Form)),
            ("llm.example", Err(BaseUrlError::Form)),
            ("file:///etc/passwd", Err(BaseUrlError::Form)),
            ("", Err(BaseUrlError::Form)),
        ] {
            assert_eq!(
                check_base_url(url, &none),
                expect.map(str::to_owned),
                "{url}"
            );
        }
    }

    #[test]
    fn what_the_operator_names_may_be_private() {
        let allow = PrivateAllow::read(&["10.0.0.0/8", "::1", "*.svc.cluster.local", "box"]);
        let allow = allow.unwrap();
        for url in [
            "http://10.1.2.3:8000/v1",
            "http://[::1]:9",
            "http://llm.svc.cluster.local:80/v1",
            "http://box:8080",
        ] {
            assert!(check_base_url(url, &allow).is_ok(), "{url}");
        }
        for url in [
            "http://11.1.2.3",
            "http://svc.cluster.local",
            "http://evil-box",
            "http://box.evil.example",
            "http://bob@box",
        ] {
            assert!(check_base_url(url, &allow).is_err(), "{url}");
        }
        let everything = PrivateAllow::everything();
        assert!(check_base_url("http://127.0.0.1:1/v1", &everything).is_ok());
        assert!(check_base_url("gopher://127.0.0.1:1/v1", &everything).is_err());
    }
}
