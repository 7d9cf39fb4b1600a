//! Certificates for tests.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use rustls_pki_types::CertificateDer;

use super::material::Files;

/// One who signs.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Issued {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) cert_pem: String,
    pub(crate) key_pem: String,
}

/// A certificate that names nobody but by these URIs.
pub(crate) fn names(uris: &[&str]) -> CertificateParams {
    let uri = |uri: &&str| SanType::URI((*uri).try_into().unwrap());
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.subject_alt_names.extend(uris.iter().map(uri));
    params
}

/// A certificate of a role in the trust domain `test`.
pub(crate) fn role(role: &str) -> CertificateParams {
    names(&[&format!("spiffe://test/keyward/{role}")])
}

/// The same, long expired.
pub(crate) fn expired(role_name: &str) -> CertificateParams {
    let mut params = role(role_name);
    params.not_after = date_time_ymd(2020, 1, 1);
    params
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn issue(&self, params: &CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &*self.0).unwrap();
        Issued {
            certificate: certificate.der().clone(),
            cert_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    /// Issues and writes a certificate, with itself (and others) to be trusted.
    pub(crate) fn write(
        &self,
        folder: &Path,
        params: &CertificateParams,
        others: &[&Self],
    ) -> Files {
        let issued = self.issue(params);
        let files = Files {
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
            ca: Some(folder.join("ca.pem")),
        };
        let trusted = others.iter().map(|other| other.0.pem());
        let trusted: String = std::iter::once(self.0.pem()).chain(trusted).collect();
        fs::write(folder.join("ca.pem"), trusted).unwrap();
        fs::write(&files.cert, issued.cert_pem).unwrap();
        fs::write(&files.key, issued.key_pem).unwrap();
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
        files
    }
}
