//! `vault.transit.*`: a master key that is kept by OpenBao or HashiCorp Vault.

use std::path::PathBuf;

use url::{Host, Url};

use super::raw::RawTransit;
use super::validate::{invalid, url};
use super::{SettingsError, TransitSettings};

/// Nothing where none of it is set; refused where a part is missing.
pub(super) fn validate(raw: RawTransit) -> Result<Option<TransitSettings>, SettingsError> {
    let is_set = raw.key.is_some() || raw.token.is_some() || raw.token_file.is_some();
    let Some(url) = url("vault.transit.url", raw.url)? else {
        return match is_set {
            true => Err(invalid(
                "vault.transit.url",
                "expected the server of the transit key",
            )),
            false => Ok(None),
        };
    };
    if url.scheme() != "https" && !is_loopback(&url) {
        let message = "expected https, or http on loopback: the token must not travel unencrypted";
        return Err(invalid("vault.transit.url", message));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let message = "expected no user and no password in it: a token is given apart";
        return Err(invalid("vault.transit.url", message));
    }
    let key = raw.key.filter(|key| is_name(key)).ok_or_else(|| {
        invalid(
            "vault.transit.key",
            "expected the name of a transit key, of [A-Za-z0-9._-]{1,48}",
        )
    })?;
    if raw.token.is_some() == raw.token_file.is_some() {
        let message = "expected either `token` or `token_file`";
        return Err(invalid("vault.transit.token", message));
    }
    Ok(Some(TransitSettings {
        url,
        mount: raw.mount.unwrap_or_else(|| "transit".to_owned()),
        key,
        token: raw.token,
        token_file: raw.token_file.map(PathBuf::from),
        namespace: raw.namespace,
        ca_file: raw.ca_file.map(PathBuf::from),
    }))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// With what stands before it, it must fit where ids of master keys are kept.
fn is_name(key: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=48).contains(&key.len()) && key.bytes().all(is_plain)
}
