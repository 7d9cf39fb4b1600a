//! Where notices are sent: an https address, or a mailbox.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use keyward_runtime::private_allow::{PrivateAllow, RefusedUrl};
use lettre::Address;
use url::Url;
use uuid::Uuid;

use super::account::AccountKey;
use super::notice::NoticeKind;

/// The longest address.
const TARGET_BYTES_MAX: usize = 1_024;

/// The longest label.
const LABEL_BYTES_MAX: usize = 128;

/// Where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A server that takes requests.
    Http(Url),
    /// A mailbox.
    Mail(Address),
}

/// Why there can be no such webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidWebhook {
    #[error("the address is neither https://HOST/PATH nor mailto:NAME@HOST")]
    Form,
    #[error("{0}")]
    Refused(#[from] RefusedUrl),
    #[error("this gateway sends no mail: it has no `mail.host`")]
    NoMail,
    #[error("a webhook for requests and one for mail do not turn into each other; make another")]
    OtherWay,
    #[error("a label has at most 128 characters, none of them a control character")]
    Label,
    #[error("a webhook is not made for tests: they are sent whenever you ask for one")]
    Kind,
}

impl InvalidWebhook {
    /// The field at fault.
    pub(crate) const fn param(self) -> &'static str {
        match self {
            Self::Form | Self::Refused(_) | Self::NoMail | Self::OtherWay => "url",
            Self::Label => "label",
            Self::Kind => "kinds",
        }
    }
}

impl FromStr for Target {
    type Err = InvalidWebhook;

    fn from_str(text: &str) -> Result<Self, InvalidWebhook> {
        let text = text.trim();
        if text.len() > TARGET_BYTES_MAX {
            return Err(InvalidWebhook::Form);
        }
        if let Some(address) = text.strip_prefix("mailto:") {
            let address = address.parse().map_err(|_| InvalidWebhook::Form)?;
            return Ok(Self::Mail(address));
        }
        let url = Url::parse(text).map_err(|_| InvalidWebhook::Form)?;
        let is_web = matches!(url.scheme(), "http" | "https");
        if !is_web || url.host().is_none() || url.fragment().is_some() {
            return Err(InvalidWebhook::Form);
        }
        Ok(Self::Http(url))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => formatter.write_str(url.as_str()),
            Self::Mail(address) => write!(formatter, "mailto:{address}"),
        }
    }
}

/// What an operator lets webhooks be.
#[derive(Debug, Clone)]
pub(crate) struct TargetRules {
    /// What may be private.
    pub(crate) private_allow: PrivateAllow,
    /// Whether there is mail.
    pub(crate) mail: bool,
}

impl TargetRules {
    fn check(&self, target: &Target) -> Result<(), InvalidWebhook> {
        match target {
            Target::Http(url) => Ok(self.private_allow.check(url)?),
            Target::Mail(_) if self.mail => Ok(()),
            Target::Mail(_) => Err(InvalidWebhook::NoMail),
        }
    }
}

/// A place where notices of an account are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Webhook {
    pub(crate) id: Uuid,
    pub(crate) account: AccountKey,
    /// The account as its owner calls it, `users/{user}`.
    pub(crate) account_name: String,
    pub(crate) terms: Terms,
    /// Counts up with every change.
    pub(crate) revision: u64,
    pub(crate) create_time: Timestamp,
    pub(crate) update_time: Timestamp,
    pub(crate) record: DeliveryRecord,
}

/// What can be changed of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) target: Target,
    /// Only notices of these kinds; all where there are none.
    pub(crate) kinds: BTreeSet<NoticeKind>,
    pub(crate) label: String,
    pub(crate) enabled: bool,
}

/// How a webhook has fared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DeliveryRecord {
    pub(crate) success_time: Option<Timestamp>,
    pub(crate) failure_time: Option<Timestamp>,
    pub(crate) failure: String,
}

/// What to change of a webhook; what is absent stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct TermsPatch {
    pub(crate) target: Option<Target>,
    pub(crate) kinds: Option<BTreeSet<NoticeKind>>,
    pub(crate) label: Option<String>,
    pub(crate) enabled: Option<bool>,
}

impl Terms {
    /// The same, if an operator lets it be.
    pub(crate) fn checked(self, rules: &TargetRules) -> Result<Self, InvalidWebhook> {
        rules.check(&self.target)?;
        if self.label.len() > LABEL_BYTES_MAX || self.label.contains(char::is_control) {
            return Err(InvalidWebhook::Label);
        }
        if self.kinds.contains(&NoticeKind::Test) {
            return Err(InvalidWebhook::Kind);
        }
        Ok(self)
    }

    fn with(&self, patch: TermsPatch) -> Self {
        Self {
            target: patch.target.unwrap_or_else(|| self.target.clone()),
            kinds: patch.kinds.unwrap_or_else(|| self.kinds.clone()),
            label: patch.label.unwrap_or_else(|| self.label.clone()),
            enabled: patch.enabled.unwrap_or(self.enabled),
        }
    }
}

impl Webhook {
    /// The same, changed.
    pub(crate) fn changed(
        &self,
        patch: TermsPatch,
        rules: &TargetRules,
        now: Timestamp,
    ) -> Result<Self, InvalidWebhook> {
        let terms = self.terms.with(patch).checked(rules)?;
        if terms.target.is_mail() != self.terms.target.is_mail() {
            return Err(InvalidWebhook::OtherWay);
        }
        Ok(Self {
            terms,
            revision: self.revision + 1,
            update_time: now,
            ..self.clone()
        })
    }

    /// Changes with every change.
    pub(crate) fn etag(&self) -> String {
        self.revision.to_string()
    }
}

impl Target {
    pub(crate) fn is_mail(&self) -> bool {
        matches!(self, Self::Mail(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(mail: bool) -> TargetRules {
        TargetRules {
            private_allow: PrivateAllow::default(),
            mail,
        }
    }

    fn check(text: &str, mail: bool) -> Result<String, InvalidWebhook> {
        let target: Target = text.parse()?;
        rules(mail).check(&target)?;
        Ok(target.to_string())
    }

    #[test]
    fn notices_go_to_public_https_servers_and_to_mailboxes() {
        use InvalidWebhook::{Form, NoMail, Refused};
        for (text, expect) in [
            (
                "https://a.example/hook?x=1",
                Ok("https://a.example/hook?x=1"),
            ),
            (" https://a.example ", Ok("https://a.example/")),
            ("mailto:bob@a.example", Ok("mailto:bob@a.example")),
            ("http://a.example", Err(Refused(RefusedUrl::Scheme))),
            ("https://127.0.0.1/", Err(Refused(RefusedUrl::Literal))),
            ("https://[::1]/", Err(Refused(RefusedUrl::Literal))),
            ("https://2130706433/", Err(Refused(RefusedUrl::Literal))),
            ("https://a.example:8443/", Err(Refused(RefusedUrl::Port))),
            ("https://u:p@a.example/", Err(Refused(RefusedUrl::UserInfo))),
            ("https://a.example/#x", Err(Form)),
            ("ftp://a.example/", Err(Form)),
            ("file:///etc/passwd", Err(Form)),
            ("mailto:", Err(Form)),
            ("mailto:bob", Err(Form)),
            ("mailto:bob@a.example,eve@a.example", Err(Form)),
            ("mailto:bob@a.example?cc=eve@a.example", Err(Form)),
            ("mailto:bob@a.example\r\nBcc: eve@a.example", Err(Form)),
            ("", Err(Form)),
        ] {
            assert_eq!(check(text, true), expect.map(str::to_owned), "{text}");
        }
        assert_eq!(check("mailto:bob@a.example", false), Err(NoMail));
        let long = format!("https://a.example/{}", "a".repeat(TARGET_BYTES_MAX));
        assert_eq!(check(&long, true), Err(Form));
    }

    fn webhook() -> Webhook {
        Webhook {
            id: Uuid::from_u128(1),
            account: super::super::notice::tests::account(1),
            account_name: "users/bob".to_owned(),
            terms: Terms {
                target: "https://a.example/".parse().unwrap(),
                kinds: BTreeSet::new(),
                label: String::new(),
                enabled: true,
            },
            revision: 1,
            create_time: Timestamp::UNIX_EPOCH,
            update_time: Timestamp::UNIX_EPOCH,
            record: DeliveryRecord::default(),
        }
    }

    #[test]
    fn a_change_touches_what_it_names_and_is_checked() {
        let change = |patch| webhook().changed(patch, &rules(true), Timestamp::MAX);
        let off = TermsPatch {
            enabled: Some(false),
            ..TermsPatch::default()
        };
        let changed = change(off).unwrap();
        assert!(!changed.terms.enabled);
        assert_eq!(changed.terms.target, webhook().terms.target);
        assert_ne!(changed.etag(), webhook().etag());
        let to = |target: &str| TermsPatch {
            target: Some(target.parse().unwrap()),
            ..TermsPatch::default()
        };
        let moved = change(to("mailto:bob@a.example"));
        assert_eq!(moved, Err(InvalidWebhook::OtherWay));
        let inside = change(to("https://10.0.0.1/"));
        assert_eq!(inside, Err(InvalidWebhook::Refused(RefusedUrl::Literal)));
        let called = TermsPatch {
            label: Some("a\nb".to_owned()),
            ..TermsPatch::default()
        };
        assert_eq!(change(called), Err(InvalidWebhook::Label));
        let of = TermsPatch {
            kinds: Some([NoticeKind::Test].into()),
            ..TermsPatch::default()
        };
        assert_eq!(change(of), Err(InvalidWebhook::Kind));
    }
}
