//! A request of the management API: what it is about, and what is said.

use http::{HeaderValue, Method};
use keyward_secret::Secret;
use serde_json::{Map, Value};
use url::Url;

/// What stands for a secret wherever a request is shown.
const HIDDEN: &str = "••••";

/// A request. Secrets in it are not printed.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: Method,
    segments: Vec<String>,
    query: Vec<(&'static str, String)>,
    members: Option<Map<String, Value>>,
    secret: Option<(&'static str, Secret)>,
    /// What it is known by, where the caller chose.
    name: Option<String>,
    /// The state that a change is meant for, as a header has it.
    if_match: Option<HeaderValue>,
}

impl Request {
    fn new(method: Method, segments: &[&str]) -> Self {
        Self {
            method,
            segments: segments.iter().map(|&segment| segment.to_owned()).collect(),
            query: Vec::new(),
            members: None,
            secret: None,
            name: None,
            if_match: None,
        }
    }

    /// Asks for what is at `/api/v1/` and these segments.
    pub(crate) fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments)
    }

    /// Makes something, or does something.
    pub(crate) fn post(segments: &[&str]) -> Self {
        Self::new(Method::POST, segments)
    }

    /// Changes what is given.
    pub(crate) fn patch(segments: &[&str]) -> Self {
        Self::new(Method::PATCH, segments)
    }

    /// Says something whole.
    pub(crate) fn put(segments: &[&str]) -> Self {
        Self::new(Method::PUT, segments)
    }

    /// Takes something away.
    pub(crate) fn delete(segments: &[&str]) -> Self {
        Self::new(Method::DELETE, segments)
    }

    /// With a parameter, where it has a value.
    pub(crate) fn query(mut self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        self.query.extend(value.map(|value| (name, value.into())));
        self
    }

    /// With a member of the body, where it has a value.
    pub(crate) fn member(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            let members = self.members.get_or_insert_default();
            members.insert(name.to_owned(), value.into());
        }
        self
    }

    /// With a whole body.
    pub(crate) fn object(mut self, members: Map<String, Value>) -> Self {
        self.members = Some(members);
        self
    }

    /// Only where what is changed is still as it was with this etag.
    pub(crate) fn if_match(mut self, etag: Option<HeaderValue>) -> Self {
        self.if_match = etag;
        self
    }

    pub(super) fn expected(&self) -> Option<&HeaderValue> {
        self.if_match.as_ref()
    }

    /// With a secret member of the body.
    pub(crate) fn secret(mut self, name: &'static str, secret: Secret) -> Self {
        self.secret = Some((name, secret));
        self
    }

    /// Known by this name: sent again, it is done once.
    pub(crate) fn once(mut self, name: String) -> Self {
        self.name = Some(name);
        self
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// The name that the caller or the body gives to what is done, so that it is done once.
    pub(super) fn idempotency_key(&self) -> Option<String> {
        if self.name.is_some() {
            return self.name.clone();
        }
        let key = self.members.as_ref()?.get("idempotency_key")?;
        key.as_str().map(str::to_owned)
    }

    /// Whether the body says anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_none() && self.secret.is_none()
    }

    /// Path and parameters, as they are sent.
    pub(crate) fn path(&self) -> String {
        // Any address will do: only what follows it is shown.
        let Ok(base) = Url::parse("http://gateway") else {
            return String::new();
        };
        let url = self.url(&base);
        match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        }
    }

    /// The whole address.
    pub(super) fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            let segments = self.segments.iter().map(String::as_str);
            path.pop_if_empty().extend(["api", "v1"]).extend(segments);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }

    /// The body as it is sent.
    pub(crate) fn body(&self) -> Option<Vec<u8>> {
        self.with_secret(|secret| secret.expose().to_owned())
            .map(|body| body.to_string().into_bytes())
    }

    /// The body as it may be shown.
    pub(crate) fn shown_body(&self) -> Option<Value> {
        self.with_secret(|_| HIDDEN.to_owned())
    }

    fn with_secret(&self, shown: impl Fn(&Secret) -> String) -> Option<Value> {
        let mut members = self.members.clone();
        if let Some((name, secret)) = &self.secret {
            let members = members.get_or_insert_default();
            members.insert((*name).to_owned(), shown(secret).into());
        }
        members.map(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use keyward_secret::Secret;
    use url::Url;

    use super::Request;

    #[test]
    fn ids_cannot_change_the_address() {
        let check = |segments: &[&str], expect: &str| {
            let base = Url::parse("https://gateway.example/keyward/").unwrap();
            assert_eq!(Request::get(segments).url(&base).as_str(), expect);
        };
        let base = "https://gateway.example/keyward/api/v1";
        check(&["users", "bob"], &format!("{base}/users/bob"));
        check(
            &["users", "a/b?c#d"],
            &format!("{base}/users/a%2Fb%3Fc%23d"),
        );
        check(&["users", "é x"], &format!("{base}/users/%C3%A9%20x"));
    }

    #[test]
    fn what_has_no_value_is_left_out() {
        let request = Request::post(&["users"])
            .query("tier", Some("trial"))
            .query("page_token", None::<String>)
            .member("id", Some("bob"))
            .member("tier", None::<String>);
        assert_eq!(request.path(), "/api/v1/users?tier=trial");
        assert_eq!(request.body().unwrap(), br#"{"id":"bob"}"#);
        assert!(Request::get(&["users"]).body().is_none());
    }

    #[test]
    fn a_secret_is_sent_and_never_shown() {
        let request = Request::post(&["provider-keys"])
            .member("provider", Some("sandbox"))
            .secret("key", Secret::new("sk-sandbox-canary"));
        let sent = String::from_utf8(request.body().unwrap()).unwrap();
        assert_eq!(sent, r#"{"provider":"sandbox","key":"sk-sandbox-canary"}"#);
        let shown = request.shown_body().unwrap().to_string();
        assert_eq!(shown, r#"{"provider":"sandbox","key":"••••"}"#);
        assert!(!format!("{request:?}").contains("canary"));
    }
}
