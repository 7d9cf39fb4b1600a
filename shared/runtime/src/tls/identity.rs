//! Who a certificate says that its holder is: exactly one URI among its names,
//! `spiffe://<trust domain>/keyward/<role>`. Other kinds of names may stand beside it and say nothing.

use std::fmt;

use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

/// The trust domain and the role of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    trust_domain: String,
    role: String,
}

/// Why a certificate says of nobody that it is a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// It is no certificate that can be read.
    #[error("the certificate cannot be read")]
    Malformed,
    /// It names nobody by a URI.
    #[error("the certificate has no URI among its names")]
    NoUri,
    /// It names several, so it is nobody's.
    #[error("the certificate has more than one URI among its names")]
    SeveralUris,
    /// Its URI is of another form.
    #[error("the URI of the certificate is not `spiffe://<trust domain>/keyward/<role>`")]
    OtherForm,
    /// It is of another trust domain than one's own.
    #[error("the certificate is of another trust domain")]
    OtherTrustDomain,
}

impl Identity {
    /// The role of this name in a trust domain.
    ///
    /// # Errors
    /// [`IdentityError::OtherForm`] if either cannot stand in such a URI.
    pub fn new(trust_domain: &str, role: &str) -> Result<Self, IdentityError> {
        let domain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
        let well_formed = !trust_domain.is_empty()
            && trust_domain.chars().all(domain)
            && !role.is_empty()
            && role.chars().all(|c| c.is_ascii_lowercase());
        match well_formed {
            true => Ok(Self {
                trust_domain: trust_domain.to_owned(),
                role: role.to_owned(),
            }),
            false => Err(IdentityError::OtherForm),
        }
    }

    /// Whom a certificate names. Nothing is verified here.
    ///
    /// # Errors
    /// [`IdentityError`] if it does not name exactly one role.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, IdentityError> {
        let certificate =
            EndEntityCert::try_from(certificate).map_err(|_| IdentityError::Malformed)?;
        let mut uris = certificate.valid_uri_names();
        let uri = uris.next().ok_or(IdentityError::NoUri)?;
        match uris.next() {
            None => Self::parse(uri),
            Some(_) => Err(IdentityError::SeveralUris),
        }
    }

    fn parse(uri: &str) -> Result<Self, IdentityError> {
        let path = uri.strip_prefix("spiffe://");
        let (trust_domain, role) = path
            .and_then(|path| path.split_once("/keyward/"))
            .ok_or(IdentityError::OtherForm)?;
        Self::new(trust_domain, role)
    }

    /// The domain within which roles know each other.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The name of the role.
    pub fn role(&self) -> &str {
        &self.role
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}/keyward/{}", self.trust_domain, self.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::samples::{Authority, names};

    #[test]
    fn a_uri_of_the_form_names_a_role() {
        let identity = Identity::parse("spiffe://keyward.local/keyward/router").unwrap();
        assert_eq!(identity.trust_domain(), "keyward.local");
        assert_eq!(identity.role(), "router");
        assert_eq!(
            identity.to_string(),
            "spiffe://keyward.local/keyward/router"
        );
        for other in [
            "",
            "spiffe://",
            "spiffe:///keyward/router",
            "https://keyward.local/keyward/router",
            "SPIFFE://keyward.local/keyward/router",
            "spiffe://keyward.local/keyward/",
            "spiffe://keyward.local/keyward/router/",
            "spiffe://keyward.local/keyward/keyward/router",
            "spiffe://keyward.local/other/router",
            "spiffe://keyward.local:1/keyward/router",
            "spiffe://user@keyward.local/keyward/router",
            "spiffe://Keyward.local/keyward/router",
            "spiffe://keyward.local/keyward/router?x",
            "spiffe://keyward.local/keyward/Router",
        ] {
            assert_eq!(
                Identity::parse(other),
                Err(IdentityError::OtherForm),
                "{other}"
            );
        }
    }

    #[test]
    fn exactly_one_uri_counts_whatever_else_the_certificate_names() {
        let authority = Authority::new("test");
        let of = |uris: &[&str]| {
            let issued = authority.issue(&names(uris));
            Identity::of(&issued.certificate).map(|identity| identity.role)
        };
        let (router, edge) = ("spiffe://a/keyward/router", "spiffe://a/keyward/edge");
        assert_eq!(of(&[router]), Ok("router".to_owned()));
        assert_eq!(of(&[]), Err(IdentityError::NoUri));
        assert_eq!(of(&[router, edge]), Err(IdentityError::SeveralUris));
        assert_eq!(of(&[router, router]), Err(IdentityError::SeveralUris));
        assert_eq!(of(&[router, "urn:x"]), Err(IdentityError::SeveralUris));
        let text = CertificateDer::from(b"no certificate".to_vec());
        assert_eq!(Identity::of(&text), Err(IdentityError::Malformed));
    }
}
