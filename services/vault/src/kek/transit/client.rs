//! Calls of a transit server. They follow no redirect, wait for a bounded time, and what goes wrong
//! is told without anything that was sent or answered.

use std::fmt;
use std::fs;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use keyward_secret::Secret;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::de::DeserializeOwned;
use url::Url;
use zeroize::Zeroizing;

use super::wire::{Answer, Batch, BatchResults, Item, KeyFacts, ResultItem};
use super::{TransitSetting, TransitToken};
use crate::kek::{KekError, KekResult};

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// How long an answer may take: requests with provider keys wait for it where the cache is cold.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The largest answer: 500 wrapped data keys are a tenth of it.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A transit server, one key of it.
pub(super) struct TransitClient {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    setting: TransitSetting,
}

impl fmt::Debug for TransitClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransitClient").finish_non_exhaustive()
    }
}

impl TransitClient {
    /// # Errors
    /// [`KekError::Away`] if the certificates to trust cannot be read.
    pub(super) fn new(setting: &TransitSetting) -> KekResult<Self> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_MAX));
        connector.set_nodelay(true);
        let https = HttpsConnectorBuilder::new();
        let https = match &setting.ca_file {
            None => https
                .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
                .map_err(|_| away("TLS cannot be set up for it"))?,
            Some(path) => https.with_tls_config(trusting(path)?),
        };
        let https = https
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self {
            http: Client::builder(TokioExecutor::new()).build(https),
            setting: setting.clone(),
        })
    }

    /// What the key is like.
    pub(super) async fn key(&self) -> KekResult<KeyFacts> {
        let (status, body) = self.call(Method::GET, "keys", Bytes::new()).await?;
        match status {
            StatusCode::OK => read(&body),
            status => Err(refused(status)),
        }
    }

    /// Encrypts, decrypts or rewraps a batch; answers in its order, one for each.
    pub(super) async fn batch(
        &self,
        verb: &str,
        items: &[&Item<'_>],
    ) -> KekResult<Vec<ResultItem>> {
        let batch = Batch { batch_input: items };
        let body = serde_json::to_vec(&batch).map_err(|_| away("a request cannot be written"))?;
        let body = Bytes::from_owner(Zeroizing::new(body));
        let (status, body) = self.call(Method::POST, verb, body).await?;
        // Where some or all of a batch fail the status says so, and the body has the rest.
        let results: KekResult<BatchResults> = match status {
            StatusCode::OK | StatusCode::BAD_REQUEST => read(&body),
            status => return Err(refused(status)),
        };
        let results = results.map_err(|error| match status {
            StatusCode::OK => error,
            status => refused(status),
        });
        let results = results?.batch_results;
        match results.len() == items.len() {
            true => Ok(results),
            false => Err(away("it answered for another number of data keys")),
        }
    }

    async fn call(
        &self,
        method: Method,
        verb: &str,
        body: Bytes,
    ) -> KekResult<(StatusCode, Zeroizing<Vec<u8>>)> {
        let request = self.request(method, verb, body)?;
        let answered = async {
            let answer = self.http.request(request).await;
            let answer = answer.map_err(|error| match error.is_connect() {
                true => away("it cannot be reached"),
                false => away("the connection broke off"),
            })?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect();
            let body = body.await.map_err(|_| away("its answer broke off"))?;
            Ok((status, Zeroizing::new(body.to_bytes().to_vec())))
        };
        let in_time = tokio::time::timeout(ANSWER_MAX, answered).await;
        in_time.unwrap_or_else(|_| Err(away("it did not answer in time")))
    }

    fn request(&self, method: Method, verb: &str, body: Bytes) -> KekResult<Request<Full<Bytes>>> {
        let malformed = |_| away("a setting cannot be sent");
        let token = self.token()?;
        let mut token =
            HeaderValue::from_str(token.expose()).map_err(|_| away("its token is malformed"))?;
        token.set_sensitive(true);
        let mut request = Request::builder()
            .method(method)
            .uri(self.address(verb).as_str())
            .header("x-vault-token", token)
            .header("x-vault-request", "true")
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(namespace) = &self.setting.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        request.body(Full::new(body)).map_err(malformed)
    }

    fn address(&self, verb: &str) -> Url {
        let mut url = self.setting.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            let mount = self
                .setting
                .mount
                .split('/')
                .filter(|part| !part.is_empty());
            path.pop_if_empty().push("v1").extend(mount);
            path.extend([verb, &self.setting.key]);
        }
        url
    }

    /// A file is read for each call: whoever renews the token writes it there.
    fn token(&self) -> KekResult<Secret> {
        match &self.setting.token {
            TransitToken::Given(token) => Ok(token.clone()),
            TransitToken::File(path) => {
                let text = fs::read_to_string(path).map(Zeroizing::new);
                let text = text.map_err(|_| away("the file with its token cannot be read"))?;
                Ok(Secret::new(text.trim()))
            }
        }
    }
}

fn trusting(ca_file: &std::path::Path) -> KekResult<ClientConfig> {
    let unreadable = || away("vault.transit.ca_file holds no certificate that can be read");
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(ca_file).map_err(|_| unreadable())?;
    for certificate in certificates {
        let certificate = certificate.map_err(|_| unreadable())?;
        roots.add(certificate).map_err(|_| unreadable())?;
    }
    if roots.is_empty() {
        return Err(unreadable());
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| away("TLS cannot be set up for it"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn read<T: DeserializeOwned>(body: &[u8]) -> KekResult<T> {
    let answer: Result<Answer<T>, _> = serde_json::from_slice(body);
    let answer = answer.map_err(|_| away("its answer is not what was asked for"))?;
    Ok(answer.data)
}

/// A server's own words are not repeated: nobody knows what is in them.
fn refused(status: StatusCode) -> KekError {
    away(match status {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "it does not accept the token",
        StatusCode::NOT_FOUND => "it knows no such key, mount or namespace",
        StatusCode::SERVICE_UNAVAILABLE => "it is sealed or in maintenance",
        status if status.is_redirection() => "it redirects, which is not followed",
        status if status.is_server_error() => "it failed",
        _ => "it refused the request",
    })
}

fn away(what: &str) -> KekError {
    KekError::Away(format!("the transit server: {what}"))
}
