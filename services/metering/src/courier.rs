//! Takes notices where they are to go: to web servers as signed requests, to mailboxes through a mail
//! server. It sends once and says what became of it; when to try again is not its business.

mod mail;
mod web;

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use keyward_egress::EgressError;
use keyward_runtime::private_allow::PrivateAllow;

use crate::domain::notice::Notice;
use crate::domain::webhook::{Target, TargetRules};
use crate::store::notices::Endpoint;
use mail::MailCourier;
pub use mail::{MailConfig, MailError, MailTls};
use web::WebCourier;

/// How long one try may take, from connecting to the head of the answer: what takes longer is to
/// store a notice first and act on it later.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// How notices may be sent.
#[derive(Debug, Clone, Default)]
pub struct CourierConfig {
    /// `providers.private_allow` and `providers.allow_private_base_urls`.
    pub private_allow: PrivateAllow,
    /// `providers.ca_file`.
    pub ca_file: Option<PathBuf>,
    /// `mail.*`; no mail where there is none.
    pub mail: Option<MailConfig>,
}

/// Why notices cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum CourierError {
    /// The way out could not be set up.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// Mail could not.
    #[error(transparent)]
    Mail(#[from] MailError),
}

/// What a try that failed says for people. Nothing of an address or an answer's body is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undelivered {
    /// The HTTP status of the answer, if there was one.
    pub(crate) status: Option<u16>,
    pub(crate) message: String,
}

/// Sends notices.
#[derive(Debug)]
pub(crate) struct Courier {
    web: WebCourier,
    mail: Option<MailCourier>,
    rules: TargetRules,
}

impl Courier {
    pub(crate) fn new(config: CourierConfig) -> Result<Self, CourierError> {
        let CourierConfig {
            private_allow,
            ca_file,
            mail,
        } = config;
        Ok(Self {
            web: WebCourier::new(private_allow.clone(), ca_file.as_deref())?,
            rules: TargetRules {
                private_allow,
                mail: mail.is_some(),
            },
            mail: mail.map(MailCourier::new).transpose()?,
        })
    }

    /// What webhooks may be here.
    pub(crate) fn rules(&self) -> &TargetRules {
        &self.rules
    }

    /// Sends a notice there, once; the status of the answer where there is one.
    pub(crate) async fn send(
        &self,
        endpoint: &Endpoint,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<Option<u16>, Undelivered> {
        let sending = self.send_however_long(endpoint, notice, now);
        match tokio::time::timeout(TIMEOUT, sending).await {
            Ok(sent) => sent,
            Err(_) => Err(Undelivered::without_answer(format!(
                "no answer within {} s",
                TIMEOUT.as_secs()
            ))),
        }
    }

    async fn send_however_long(
        &self,
        endpoint: &Endpoint,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<Option<u16>, Undelivered> {
        let account = &endpoint.webhook.account_name;
        match (&endpoint.webhook.terms.target, &self.mail) {
            (Target::Http(url), _) => {
                let secret = endpoint.secret.as_ref();
                self.web.send(url, secret, account, notice, now).await
            }
            (Target::Mail(address), Some(mail)) => {
                mail.send(address, account, notice).await.map(|()| None)
            }
            (Target::Mail(_), None) => {
                let message = "this gateway sends no mail";
                Err(Undelivered::without_answer(message.to_owned()))
            }
        }
    }
}

impl Undelivered {
    fn without_answer(message: String) -> Self {
        Self {
            status: None,
            message,
        }
    }
}
