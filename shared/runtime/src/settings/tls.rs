//! Settings of TLS: what belongs together is there together, and addresses of roles say what is
//! spoken there.

use std::path::PathBuf;

use url::Url;

use super::SettingsError;
use super::raw::RawTls;
use super::validate::{invalid, url};
use crate::tls::Files;

/// `tls.*`: all three, or none.
pub(super) fn between_roles(raw: RawTls) -> Result<Option<Files>, SettingsError> {
    let given = [
        ("tls.cert", raw.cert),
        ("tls.key", raw.key),
        ("tls.ca", raw.ca),
    ];
    let Some([cert, key, ca]) = all_or_none(given)? else {
        return Ok(None);
    };
    Ok(Some(Files {
        cert,
        key,
        ca: Some(ca),
    }))
}

/// `edge.tls.*`: both, or none. Nobody is asked for a certificate there.
pub(super) fn at_the_edge(raw: RawTls) -> Result<Option<Files>, SettingsError> {
    if raw.ca.is_some() {
        return Err(invalid(
            "edge.tls.ca",
            "the edge asks nobody for a certificate: callers bring an access key",
        ));
    }
    let given = [("edge.tls.cert", raw.cert), ("edge.tls.key", raw.key)];
    let files = all_or_none(given)?;
    Ok(files.map(|[cert, key]| Files {
        cert,
        key,
        ca: None,
    }))
}

fn all_or_none<const N: usize>(
    given: [(&str, Option<String>); N],
) -> Result<Option<[PathBuf; N]>, SettingsError> {
    if given.iter().all(|(_, path)| path.is_none()) {
        return Ok(None);
    }
    let missing = given.iter().find(|(_, path)| path.is_none());
    match missing {
        Some((name, _)) => Err(invalid(name, "is missing: those beside it are set")),
        None => Ok(Some(
            given.map(|(_, path)| PathBuf::from(path.unwrap_or_default())),
        )),
    }
}

/// The address of a role, which says whether TLS is spoken there.
pub(super) fn role_url(
    name: &str,
    text: Option<String>,
    has_tls: bool,
) -> Result<Option<Url>, SettingsError> {
    let url = url(name, text)?;
    match url.as_ref().map(|url| (url.scheme(), has_tls)) {
        Some(("http", true)) => Err(invalid(
            name,
            "expected `https://`: `tls.*` is set, so roles speak TLS with each other",
        )),
        Some(("https", false)) => Err(invalid(
            name,
            "`https://` needs `tls.cert`, `tls.key` and `tls.ca`",
        )),
        _ => Ok(url),
    }
}
