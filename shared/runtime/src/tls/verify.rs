//! Who is believed. A server must be the role that is called: its certificate is good by `tls.ca` and
//! names that role, in the own trust domain. The host in the URL is deliberately not held against
//! it: a role is who its certificate says, wherever it runs, and certificates of workloads often name
//! no host. A certificate of another role is refused even at the right address.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::identity::{Identity, IdentityError};

/// The one provider of cryptography.
pub(super) fn provider() -> CryptoProvider {
    ring::default_provider()
}

fn algorithms() -> WebPkiSupportedAlgorithms {
    provider().signature_verification_algorithms
}

/// Whether a server's chain leads to one of these.
pub(super) fn chain(
    chain: &[CertificateDer<'_>],
    roots: &RootCertStore,
    now: UnixTime,
) -> Result<(), Error> {
    let (first, between) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
    server(first, between, roots, now)
}

fn server(
    certificate: &CertificateDer<'_>,
    between: &[CertificateDer<'_>],
    roots: &RootCertStore,
    now: UnixTime,
) -> Result<(), Error> {
    let parsed = ParsedCertificate::try_from(certificate)?;
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, between, now, algorithms().all)
}

/// Whether a client's chain leads to one of these.
pub(super) fn client_chain(
    chain: &[CertificateDer<'_>],
    roots: &Arc<RootCertStore>,
    now: UnixTime,
) -> Result<(), Error> {
    let (first, between) = chain.split_first().ok_or(Error::NoCertificatesPresented)?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::new(provider()))
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
    verifier.verify_client_cert(first, between, now).map(drop)
}

/// Believes one role alone.
#[derive(Debug)]
pub(super) struct RoleVerifier {
    pub(super) roots: Arc<RootCertStore>,
    /// Who is called; nobody is believed where it cannot be said.
    pub(super) expected: Result<Identity, IdentityError>,
}

impl ServerCertVerifier for RoleVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        server(certificate, between, &self.roots, now)?;
        let found = Identity::of(certificate).map_err(other)?;
        match &self.expected {
            Ok(expected) if found == *expected => Ok(ServerCertVerified::assertion()),
            Ok(expected) => Err(other(WrongRole {
                expected: expected.clone(),
                found,
            })),
            Err(error) => Err(other(*error)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &algorithms())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

/// Somebody else answers than was called.
#[derive(Debug, thiserror::Error)]
#[error("the certificate is of {found}, and {expected} was called")]
struct WrongRole {
    expected: Identity,
    found: Identity,
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    CertificateError::Other(OtherError(Arc::new(error))).into()
}
