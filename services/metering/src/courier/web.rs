//! Notices as signed requests, in the manner of Standard Webhooks.

use std::path::Path;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use jiff::Timestamp;
use keyward_egress::{Egress, EgressError, SendError};
use keyward_runtime::private_allow::PrivateAllow;
use url::Url;

use super::{TIMEOUT, Undelivered};
use crate::domain::notice::Notice;
use crate::domain::signature::SigningSecret;

/// How we introduce ourselves.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("keyward/", env!("CARGO_PKG_VERSION")));

/// Sends requests, to public addresses and those that the operator excepts.
#[derive(Debug)]
pub(super) struct WebCourier {
    egress: Egress<Full<Bytes>>,
}

impl WebCourier {
    pub(super) fn new(
        private_allow: PrivateAllow,
        ca_file: Option<&Path>,
    ) -> Result<Self, EgressError> {
        Ok(Self {
            egress: Egress::new(private_allow, ca_file, TIMEOUT)?,
        })
    }

    /// Sends one and waits for the head of the answer; only a 2xx is taken for an acceptance. No
    /// redirect is followed, and nothing of the answer's body is read.
    pub(super) async fn send(
        &self,
        url: &Url,
        secret: Option<&SigningSecret>,
        account: &str,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<Option<u16>, Undelivered> {
        let request = request(url, secret, account, notice, now)
            .ok_or_else(|| Undelivered::without_answer("it cannot be sent there".to_owned()))?;
        let answer = self.egress.send(request, false).await.map_err(not_sent)?;
        let status = answer.status();
        match status.is_success() {
            true => Ok(Some(status.as_u16())),
            false => Err(refused(status)),
        }
    }
}

/// `None` for what cannot be a request.
fn request(
    url: &Url,
    secret: Option<&SigningSecret>,
    account: &str,
    notice: &Notice,
    now: Timestamp,
) -> Option<Request<Full<Bytes>>> {
    let (body, seconds) = (notice.body(account), now.as_second());
    let signature = secret?.sign(notice.id, seconds, &body);
    Request::builder()
        .method(Method::POST)
        .uri(url.as_str())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, USER_AGENT)
        .header("webhook-id", notice.id.to_string())
        .header("webhook-timestamp", seconds)
        .header("webhook-signature", signature)
        .body(Full::from(body))
        .ok()
}

fn not_sent(error: SendError) -> Undelivered {
    Undelivered::without_answer(match error {
        SendError::Connect(reason) => reason,
        SendError::Broken(_) => "the connection failed before there was an answer".to_owned(),
    })
}

fn refused(status: StatusCode) -> Undelivered {
    let code = status.as_u16();
    let message = match status.is_redirection() {
        true => format!("it answered {code}; redirects are not followed"),
        false => format!("it answered {code}"),
    };
    Undelivered {
        status: Some(code),
        message,
    }
}
