//! Signing: who signs, and what a certificate of a role says.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::Context as _;
use jiff::{Span, Zoned};
use keyward_runtime::tls::Identity;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use zeroize::Zeroizing;

/// What the authority is called. It is known again by this name and its key.
const AUTHORITY: &str = "Keyward development CA";

/// How long the authority is good: ten years, so that renewing is a matter of its certificates.
const AUTHORITY_DAYS: u16 = 3650;

/// One who signs certificates.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, where it was made just now.
    certificate: Option<Certificate>,
}

/// A certificate with its key, as PEM.
pub(super) struct Issued {
    pub(super) certificate: String,
    pub(super) key: Zeroizing<String>,
}

impl Authority {
    /// A new one.
    pub(super) fn new() -> anyhow::Result<Self> {
        let (params, key) = (params_of_authority()?, KeyPair::generate()?);
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate: Some(certificate),
        })
    }

    /// The one whose key this is, as PEM.
    pub(super) fn known(key: &str) -> anyhow::Result<Self> {
        let key = KeyPair::from_pem(key).context("ca.key holds no private key")?;
        Ok(Self {
            issuer: Issuer::new(params_of_authority()?, key),
            certificate: None,
        })
    }

    /// Its certificate and key; `None` if it was there before.
    pub(super) fn own(&self) -> Option<Issued> {
        let certificate = self.certificate.as_ref()?;
        Some(Issued {
            certificate: certificate.pem(),
            key: Zeroizing::new(self.issuer.key().serialize_pem()),
        })
    }

    /// A certificate for a role, also good for its hosts' names: what is not a role of ours checks
    /// those.
    pub(super) fn issue(
        &self,
        identity: &Identity,
        hosts: &[String],
        days: u16,
    ) -> anyhow::Result<Issued> {
        let usual = ["localhost".to_owned(), identity.role().to_owned()];
        let names: Vec<String> = usual.into_iter().chain(hosts.iter().cloned()).collect();
        let mut params = CertificateParams::new(names).context("`--host` is no name of a host")?;
        params.subject_alt_names.extend([
            SanType::URI(identity.to_string().as_str().try_into()?),
            SanType::IpAddress(Ipv4Addr::LOCALHOST.into()),
            SanType::IpAddress(Ipv6Addr::LOCALHOST.into()),
        ]);
        params.distinguished_name = named(&format!("keyward {}", identity.role()));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        good_for(&mut params, days)?;
        let key = KeyPair::generate()?;
        Ok(Issued {
            certificate: params.signed_by(&key, &self.issuer)?.pem(),
            key: Zeroizing::new(key.serialize_pem()),
        })
    }
}

fn params_of_authority() -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name = named(AUTHORITY);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    good_for(&mut params, AUTHORITY_DAYS)?;
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// From yesterday, because clocks differ, to the end of that many days.
fn good_for(params: &mut CertificateParams, days: u16) -> anyhow::Result<()> {
    let today = Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date();
    let day = |days: i64| -> anyhow::Result<_> {
        let date = today.checked_add(Span::new().days(days))?;
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        Ok(date_time_ymd(date.year().into(), month, day))
    };
    params.not_before = day(-1)?;
    params.not_after = day(i64::from(days) + 1)?;
    Ok(())
}
