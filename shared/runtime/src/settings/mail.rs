//! `mail.*`: the server that takes notices which are sent by mail.

use std::path::PathBuf;

use keyward_secret::Secret;

use super::SettingsError;
use super::raw::RawMail;
use super::validate::invalid;

/// A server that takes mail.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// As whom to log in, and with which password.
    pub login: Option<(String, Secret)>,
    /// Who writes, `name@host` or `Name <name@host>`.
    pub from: String,
    /// How the connection is encrypted.
    pub tls: MailTls,
    /// Further authorities whose certificates it may show, as PEM.
    pub ca_file: Option<PathBuf>,
}

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// By STARTTLS; without it nothing is sent.
    #[default]
    Required,
    /// From its first byte.
    Implicit,
    /// Not at all.
    None,
}

impl MailTls {
    const fn port(self) -> u16 {
        match self {
            Self::Required => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

/// Nothing where none of it is set; refused where a part is missing.
pub(super) fn validate(raw: RawMail) -> Result<Option<MailSettings>, SettingsError> {
    let is_set = raw.port.is_some()
        || raw.user.is_some()
        || raw.password.is_some()
        || raw.from.is_some()
        || raw.tls.is_some()
        || raw.ca_file.is_some();
    let Some(host) = raw.host else {
        return match is_set {
            true => Err(invalid("mail.host", "expected the name of a mail server")),
            false => Ok(None),
        };
    };
    let from = raw.from.ok_or_else(|| {
        let message = "expected who writes, such as `Keyward <keyward@example.com>`";
        invalid("mail.from", message)
    })?;
    let tls = raw.tls.unwrap_or_default();
    let login = match (raw.user, raw.password) {
        (None, None) => None,
        (Some(user), Some(password)) => Some((user, password)),
        _ => {
            let message = "expected both a user and a password, or neither";
            return Err(invalid("mail.user", message));
        }
    };
    if login.is_some() && tls == MailTls::None {
        let message = "expected `required` or `implicit`: the password must not travel unencrypted";
        return Err(invalid("mail.tls", message));
    }
    Ok(Some(MailSettings {
        host,
        port: raw.port.unwrap_or(tls.port()),
        login,
        from,
        tls,
        ca_file: raw.ca_file.map(PathBuf::from),
    }))
}
