//! Certificates of a gateway whose roles run apart: those that its own command makes, and odd ones
//! that nobody should believe.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType, date_time_ymd,
};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::process::run;

/// The name of the authority that `keyward certs dev` makes.
const AUTHORITY: &str = "Keyward development CA";

/// Makes certificates for every role, as an operator does, unless they are there.
pub(super) fn make(folder: &Path) {
    let out = folder.display().to_string();
    let arguments = ["certs", "dev", "--if-missing", "--out", &out];
    let made = run(&arguments, &[], Path::new("/"));
    assert!(made.status.success(), "certificates: {made:?}");
}

/// What somebody who connects shows: a certificate with its key, or nothing.
#[derive(Debug, Clone)]
pub struct Shown(Option<(String, String)>);

impl Shown {
    /// No certificate.
    pub fn nothing() -> Self {
        Self(None)
    }

    /// The certificate of this name in a folder.
    pub(super) fn read(folder: &Path, name: &str) -> Self {
        let read = |end: &str| fs::read_to_string(folder.join(format!("{name}.{end}")));
        let certificate = read("pem").expect("a certificate");
        Self(Some((certificate, read("key").expect("a key"))))
    }

    /// Puts it where a role's certificate lies.
    pub fn write(&self, folder: &Path, name: &str) {
        let (certificate, key) = self.0.as_ref().expect("a certificate");
        let path = folder.join(format!("{name}.key"));
        fs::write(&path, key).expect("the key is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode is set");
        fs::write(folder.join(format!("{name}.pem")), certificate).expect("it is written");
    }

    pub(super) fn tls(&self, folder: &Path) -> ClientTlsConfig {
        let ca = fs::read_to_string(folder.join("ca.pem")).expect("ca.pem");
        let tls = ClientTlsConfig::new().ca_certificates(authorities(&ca));
        match &self.0 {
            Some((certificate, key)) => tls.identity(Identity::from_pem(certificate, key)),
            None => tls,
        }
    }
}

fn authorities(pem: &str) -> Vec<Certificate> {
    let each = pem.split_inclusive("-----END CERTIFICATE-----");
    let each = each.filter(|part| part.contains("BEGIN"));
    each.map(Certificate::from_pem).collect()
}

/// One who signs certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, as PEM.
    pub pem: String,
}

impl Authority {
    /// The one whose certificate and key lie in a folder.
    pub(super) fn read(folder: &Path) -> Self {
        let read = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
        let key = KeyPair::from_pem(&read("ca.key")).expect("a key");
        Self {
            issuer: Issuer::new(params(), key),
            pem: read("ca.pem"),
        }
    }

    /// Another one, of the same name.
    pub fn foreign() -> Self {
        let (params, key) = (params(), KeyPair::generate().expect("a key"));
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate that names these URIs, good today.
    pub fn issue(&self, uris: &[&str]) -> Shown {
        self.sign(uris, |_| {})
    }

    /// A certificate that names these URIs, and was good until 2020.
    pub fn issue_expired(&self, uris: &[&str]) -> Shown {
        self.sign(uris, |params| params.not_after = date_time_ymd(2020, 1, 1))
    }

    fn sign(&self, uris: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Shown {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).expect("names");
        let uri = |uri: &&str| SanType::URI((*uri).try_into().expect("a URI"));
        params.subject_alt_names.extend(uris.iter().map(uri));
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Shown(Some((certificate.pem(), key.serialize_pem())))
    }
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, AUTHORITY);
    params
}
