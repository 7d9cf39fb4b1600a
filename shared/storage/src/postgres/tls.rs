//! TLS to Postgres: always with a certificate that was checked.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PostgresError;

/// Connects where the server's certificate is signed by an authority of `ca`, a PEM file, or by one
/// that browsers trust where there is none.
pub(super) fn connector(ca: Option<&Path>) -> Result<MakeRustlsConnect, PostgresError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_root_certificates(roots(ca)?)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, PostgresError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    for certificate in CertificateDer::pem_file_iter(path).map_err(unusable)? {
        let certificate = certificate.map_err(unusable)?;
        roots.add(certificate).map_err(unusable)?;
    }
    match roots.is_empty() {
        true => Err(unusable("there is none in the file")),
        false => Ok(roots),
    }
}

fn unusable(why: impl std::fmt::Display) -> PostgresError {
    PostgresError::Certificates(format!("{why}"))
}
