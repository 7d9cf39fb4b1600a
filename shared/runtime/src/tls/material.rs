//! A certificate, its key and the certificates that are trusted, as read from their files and checked
//! as a whole: what does not fit together is refused, at a start and at a change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyward_secret::Secret;
use rustls::RootCertStore;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::identity::{Identity, IdentityError};
use super::verify::{self, provider};
use crate::private;

/// Where certificate, key and trusted certificates lie, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate, with those between it and the trusted one behind it.
    pub cert: PathBuf,
    /// Its private key, for its owner alone.
    pub key: PathBuf,
    /// The certificates that sign those of other roles; `None` where nobody is asked for one.
    pub ca: Option<PathBuf>,
}

/// Why certificate, key and trusted certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may read the key.
    #[error("{} can be read by others: `chmod 600` it", .0.display())]
    Readable(PathBuf),
    /// What is in a file is not what should be.
    #[error("{} holds no {expected} in PEM", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
    },
    /// Certificate and key are not of one pair, or the key is of no usable kind.
    #[error("certificate and key do not belong together")]
    Mismatch(#[source] rustls::Error),
    /// The own certificate is not one that its peers would accept.
    #[error("the certificate is not good by `tls.ca`")]
    NotTrusted(#[source] rustls::Error),
    /// Who calls this process expects the role that it began as.
    #[error("the certificate is not of the same role and trust domain as before")]
    OtherIdentity,
}

/// What was read.
#[derive(Debug)]
pub struct Material {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) roots: Arc<RootCertStore>,
    identity: Result<Identity, IdentityError>,
    expiry: Option<i64>,
    ca_expiry: Option<i64>,
}

impl Material {
    /// Reads the files, and holds what is in them against each other and against this time.
    ///
    /// # Errors
    /// [`TlsError`], which says what is wrong with which file.
    pub fn read(files: &Files, now: UnixTime) -> Result<Self, TlsError> {
        let chain = certificates(&files.cert)?;
        let key = private_key(&files.key)?;
        let authorities = match &files.ca {
            Some(path) => certificates(path)?,
            None => Vec::new(),
        };
        let material = Self {
            identity: chain
                .first()
                .map_or(Err(IdentityError::Malformed), Identity::of),
            expiry: chain.iter().filter_map(not_after).min(),
            ca_expiry: authorities.iter().filter_map(not_after).min(),
            roots: Arc::new(roots(authorities, files.ca.as_deref())?),
            certified: CertifiedKey::from_der(chain, key, &provider())
                .map(Arc::new)
                .map_err(TlsError::Mismatch)?,
        };
        if files.ca.is_some() {
            verify::chain(&material.certified.cert, &material.roots, now)
                .map_err(TlsError::NotTrusted)?;
        }
        Ok(material)
    }

    /// This, where it can take the place of what is in force.
    ///
    /// # Errors
    /// [`TlsError::OtherIdentity`] if a process would become another role by it.
    pub(super) fn in_place_of(self, before: &Self) -> Result<Self, TlsError> {
        let is_between_roles = !before.roots.is_empty();
        match is_between_roles && before.identity.is_ok() && self.identity != before.identity {
            true => Err(TlsError::OtherIdentity),
            false => Ok(self),
        }
    }

    /// Who this process is to others.
    ///
    /// # Errors
    /// [`IdentityError`] where the certificate names no role.
    pub fn identity(&self) -> Result<&Identity, IdentityError> {
        self.identity.as_ref().map_err(|error| *error)
    }

    /// When the certificate ends, or one between it and the trusted one: seconds since 1970.
    pub fn expiry(&self) -> Option<i64> {
        self.expiry
    }

    /// When the first of the trusted certificates ends: seconds since 1970.
    pub fn ca_expiry(&self) -> Option<i64> {
        self.ca_expiry
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| unreadable(path, source))
}

fn unreadable(path: &Path, source: io::Error) -> TlsError {
    TlsError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    read.ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| malformed(path, "certificate"))
}

fn malformed(path: &Path, expected: &'static str) -> TlsError {
    TlsError::Malformed {
        path: path.to_owned(),
        expected,
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    if private::is_open_to_others(path).map_err(|source| unreadable(path, source))? {
        return Err(TlsError::Readable(path.to_owned()));
    }
    let malformed = || malformed(path, "private key");
    let pem = Secret::from_bytes(read(path)?).map_err(|_| malformed())?;
    PrivateKeyDer::from_pem_slice(pem.expose_bytes()).map_err(|_| malformed())
}

fn roots(
    authorities: Vec<CertificateDer<'static>>,
    path: Option<&Path>,
) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots
            .add(authority)
            .map_err(|_| malformed(path.unwrap_or(Path::new("")), "usable certificate"))?;
    }
    Ok(roots)
}

/// The last second in which a certificate is good.
fn not_after(certificate: &CertificateDer<'_>) -> Option<i64> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let not_after = certificate.tbs_certificate.validity.not_after;
    i64::try_from(not_after.to_unix_duration().as_secs()).ok()
}
