//! Certificates to begin with: one who signs, and what it signs for each role. Made for trying things
//! out and for single machines; where there is an authority already, it issues them.

mod issue;
mod write;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use keyward_auth::Peer;
use keyward_runtime::tls::Identity;

use issue::Authority;
use write::Place;

/// What to make, and where.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The folder.
    pub(crate) out: PathBuf,
    /// The domain within which roles know each other.
    pub(crate) trust_domain: String,
    /// How many days the roles' certificates are good.
    pub(crate) days: u16,
    /// Further names of hosts.
    pub(crate) hosts: Vec<String>,
    /// What happens to what is there.
    pub(crate) existing: Existing,
    /// A folder for each role, instead of files side by side.
    pub(crate) folders: bool,
}

/// What happens to certificates that are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// They are a reason to refuse.
    Refuse,
    /// They stay, all of them.
    Keep,
    /// They are issued anew, by the same authority.
    Renew,
    /// They are replaced, and who signed them too.
    Replace,
}

/// Who gets a certificate: every role, and `caller`, for internal services that call gRPC.
pub(crate) const HOLDERS: [Peer; 5] = [
    Peer::Vault,
    Peer::Metering,
    Peer::Router,
    Peer::Edge,
    Peer::Outside,
];

/// Makes what is asked for; tells whether anything was made.
///
/// # Errors
/// What is in the way, or cannot be written.
pub(crate) fn make(plan: &Plan) -> anyhow::Result<bool> {
    let place = Place::new(&plan.out, plan.folders);
    let complete = HOLDERS.iter().all(|holder| place.has(*holder)) && place.has_authority();
    match plan.existing {
        Existing::Keep if complete => return Ok(false),
        Existing::Refuse | Existing::Keep if place.has_any(&HOLDERS) => bail!(
            "there are certificates in {} already: `--renew` issues them anew, `--force` replaces \
             them and who signed them",
            plan.out.display()
        ),
        _ => {}
    }
    place.prepare(&HOLDERS)?;
    let authority = if plan.existing == Existing::Renew {
        Authority::known(&place.authority_key()?)?
    } else {
        let made = Authority::new()?;
        place.write_authority(&made)?;
        made
    };
    for holder in HOLDERS {
        let identity = Identity::new(&plan.trust_domain, holder.as_str())
            .with_context(|| format!("`{}` can be no trust domain", plan.trust_domain))?;
        let issued = authority.issue(&identity, &plan.hosts, plan.days)?;
        place.write(holder, &issued)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyward_runtime::tls::{Files, Material};
    use rustls::pki_types::UnixTime;

    fn plan(out: PathBuf, existing: Existing, folders: bool) -> Plan {
        Plan {
            out,
            trust_domain: "example.org".to_owned(),
            days: 30,
            hosts: vec!["gateway.example.org".to_owned()],
            existing,
            folders,
        }
    }

    #[test]
    fn each_role_gets_a_certificate_that_says_so_and_no_other_reads_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("certs");
        assert!(make(&plan(out.clone(), Existing::Refuse, false)).unwrap());
        for holder in HOLDERS {
            let files = Files {
                cert: out.join(format!("{holder}.pem")),
                key: out.join(format!("{holder}.key")),
                ca: Some(out.join("ca.pem")),
            };
            let material = Material::read(&files, UnixTime::now()).unwrap();
            let expect = format!("spiffe://example.org/keyward/{holder}");
            assert_eq!(material.identity().unwrap().to_string(), expect);
            let days =
                (material.expiry().unwrap() - UnixTime::now().as_secs().cast_signed()) / 86_400;
            assert!((29..=31).contains(&days), "{days}");
        }
    }

    #[test]
    fn what_is_there_is_kept_renewed_or_replaced_as_asked() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("certs");
        let of = |name: &str| std::fs::read(out.join(name)).unwrap();
        let make = |existing| make(&plan(out.clone(), existing, true));
        assert!(make(Existing::Renew).is_err(), "there is no authority yet");
        assert!(make(Existing::Keep).unwrap());
        let (ca, cert) = (of("ca.pem"), of("vault/cert.pem"));
        assert_eq!(of("edge/ca.pem"), ca);

        assert!(make(Existing::Refuse).is_err());
        assert!(!make(Existing::Keep).unwrap());
        assert_eq!(of("vault/cert.pem"), cert);

        assert!(make(Existing::Renew).unwrap());
        assert_eq!(of("ca.pem"), ca);
        assert_ne!(of("vault/cert.pem"), cert);
        let files = Files {
            cert: out.join("vault/cert.pem"),
            key: out.join("vault/key.pem"),
            ca: Some(out.join("vault/ca.pem")),
        };
        Material::read(&files, UnixTime::now()).unwrap();

        assert!(make(Existing::Replace).unwrap());
        assert_ne!(of("ca.pem"), ca);
    }

    #[test]
    fn a_trust_domain_that_can_be_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = plan(folder.path().join("certs"), Existing::Refuse, false);
        plan.trust_domain = "Example.org/x".to_owned();
        assert!(
            make(&plan)
                .unwrap_err()
                .to_string()
                .contains("Example.org/x")
        );
    }
}
