//! Grants: signed statements of who calls and what they may do, valid for at most 60 s. The vault
//! signs them; every service verifies them without asking.
//!
//! On the wire: `kwg1.`, base64url of the `GrantClaims` message, `.`, base64url of an Ed25519
//! signature over `keyward-grant/v1\0` and the message's bytes.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use keyward_proto::vault::v1::{self as proto, GrantClaims, GrantKey};
use keyward_runtime::time;
use prost::Message as _;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::principal::{AccessKeyLimits, OrganizationRole, Principal, Scope, Subject};

/// The longest that a grant is valid.
pub const LIFETIME_MAX: SignedDuration = SignedDuration::from_secs(60);

/// How far the clocks of two services may lie apart.
const CLOCK_SKEW_MAX: SignedDuration = SignedDuration::from_secs(5);

const PREFIX: &str = "kwg1.";
const DOMAIN: &[u8] = b"keyward-grant/v1\0";

/// A grant as it travels. It is a bearer token, so it is not printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct GrantToken(Arc<str>);

impl GrantToken {
    /// Takes over what came in metadata.
    pub fn new(token: &str) -> Self {
        Self(token.into())
    }

    /// The token, for metadata.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for GrantToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GrantToken([redacted])")
    }
}

/// Why a grant is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// It is not in the form of a grant.
    #[error("the grant is malformed")]
    Malformed,
    /// It is signed with a key that is not known, or not signed by it.
    #[error("the grant's signature is not one of the vault's")]
    BadSignature,
    /// It has ended, or has not begun.
    #[error("the grant is not valid at this time")]
    NotValidNow,
    /// It cannot be signed.
    #[error("the grant cannot be signed")]
    Unsigned,
}

/// Signs grants. Only the vault has one.
pub struct GrantSigner {
    key_id: String,
    key_pair: Ed25519KeyPair,
}

impl GrantSigner {
    /// A signer from an Ed25519 seed of 32 bytes.
    ///
    /// # Errors
    /// [`GrantError::Unsigned`] if the seed is not one.
    pub fn from_seed(key_id: impl Into<String>, seed: &[u8]) -> Result<Self, GrantError> {
        let key_pair =
            Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| GrantError::Unsigned)?;
        Ok(Self {
            key_id: key_id.into(),
            key_pair,
        })
    }

    /// The key by which its grants are verified.
    pub fn grant_key(&self) -> GrantKey {
        GrantKey {
            signing_key_id: self.key_id.clone(),
            public_key: self.key_pair.public_key().as_ref().to_vec(),
        }
    }

    /// Signs a statement about `principal`, valid from `now` for [`LIFETIME_MAX`].
    pub fn sign(&self, grant_id: &str, principal: &Principal, now: Timestamp) -> GrantToken {
        let mut claims = to_claims(principal);
        grant_id.clone_into(&mut claims.grant_id);
        claims.signing_key_id.clone_from(&self.key_id);
        claims.issue_time = Some(time::to_proto(now));
        claims.expire_time = now.checked_add(LIFETIME_MAX).ok().map(time::to_proto);
        let claims = claims.encode_to_vec();
        let signature = self.key_pair.sign(&signed_bytes(&claims));
        let token = format!(
            "{PREFIX}{}.{}",
            URL_SAFE_NO_PAD.encode(&claims),
            URL_SAFE_NO_PAD.encode(signature.as_ref())
        );
        GrantToken::new(&token)
    }
}

impl fmt::Debug for GrantSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantSigner")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// A grant that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedGrant {
    /// Its id, for audit events.
    pub grant_id: String,
    /// Who calls.
    pub principal: Principal,
    /// Until when it is valid.
    pub expires: Timestamp,
}

/// Verifies grants, with the keys it has learnt from the vault.
#[derive(Debug, Default)]
pub struct GrantVerifier {
    keys: ArcSwap<HashMap<String, Vec<u8>>>,
}

impl GrantVerifier {
    /// A verifier that knows no key yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over the keys that grants may be signed with.
    pub fn learn(&self, keys: &[GrantKey]) {
        let by_id = keys
            .iter()
            .map(|key| (key.signing_key_id.clone(), key.public_key.clone()));
        self.keys.store(Arc::new(by_id.collect()));
    }

    /// Checks signature and time.
    ///
    /// # Errors
    /// [`GrantError`] says what is wrong.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<VerifiedGrant, GrantError> {
        let (claims, signature) = token
            .strip_prefix(PREFIX)
            .and_then(|token| token.split_once('.'))
            .ok_or(GrantError::Malformed)?;
        let claims = URL_SAFE_NO_PAD
            .decode(claims)
            .map_err(|_| GrantError::Malformed)?;
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| GrantError::Malformed)?;
        let parsed = GrantClaims::decode(claims.as_slice()).map_err(|_| GrantError::Malformed)?;
        let keys = self.keys.load();
        let key = keys
            .get(&parsed.signing_key_id)
            .ok_or(GrantError::BadSignature)?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&signed_bytes(&claims), &signature)
            .map_err(|_| GrantError::BadSignature)?;
        let expires = check_time(&parsed, now)?;
        Ok(VerifiedGrant {
            grant_id: parsed.grant_id.clone(),
            principal: to_principal(parsed),
            expires,
        })
    }
}

fn signed_bytes(claims: &[u8]) -> Vec<u8> {
    [DOMAIN, claims].concat()
}

fn check_time(claims: &GrantClaims, now: Timestamp) -> Result<Timestamp, GrantError> {
    let read = |time: &Option<_>| {
        time.as_ref()
            .and_then(time::from_proto)
            .ok_or(GrantError::Malformed)
    };
    let (issued, expires) = (read(&claims.issue_time)?, read(&claims.expire_time)?);
    let begun = now
        .checked_add(CLOCK_SKEW_MAX)
        .is_ok_and(|latest| issued <= latest);
    let short = issued
        .checked_add(LIFETIME_MAX)
        .is_ok_and(|latest| expires <= latest);
    if begun && short && now < expires {
        Ok(expires)
    } else {
        Err(GrantError::NotValidNow)
    }
}

fn to_claims(principal: &Principal) -> GrantClaims {
    let subject = |subject: &Subject| proto::Subject {
        id: subject.id.clone(),
        uid: subject.uid.clone(),
    };
    let role = principal
        .organization_role
        .map(OrganizationRole::to_proto)
        .unwrap_or_default();
    GrantClaims {
        access_key_id: principal.access_key_id.clone(),
        user: principal.user.as_ref().map(subject),
        organization: principal.organization.as_ref().map(subject),
        project: principal.project.as_ref().map(subject),
        organization_role: role.into(),
        scopes: principal
            .scopes
            .iter()
            .map(|scope| scope.to_proto().into())
            .collect(),
        tier: principal.tier.clone(),
        allowed_models: principal.allowed_models.clone(),
        limits: Some(proto::AccessKeyLimits {
            requests_per_minute: principal.limits.requests_per_minute,
            tokens_per_minute: principal.limits.tokens_per_minute,
            concurrency: principal.limits.concurrency,
        }),
        cache: principal.cache,
        ..GrantClaims::default()
    }
}

fn to_principal(claims: GrantClaims) -> Principal {
    let subject = |subject: proto::Subject| Subject {
        id: subject.id,
        uid: subject.uid,
    };
    let limits = claims.limits.unwrap_or_default();
    Principal {
        access_key_id: claims.access_key_id,
        user: claims.user.map(subject),
        organization: claims.organization.map(subject),
        project: claims.project.map(subject),
        organization_role: OrganizationRole::from_proto(claims.organization_role),
        scopes: claims
            .scopes
            .into_iter()
            .filter_map(Scope::from_proto)
            .collect(),
        tier: claims.tier,
        allowed_models: claims.allowed_models,
        limits: AccessKeyLimits {
            requests_per_minute: limits.requests_per_minute,
            tokens_per_minute: limits.tokens_per_minute,
            concurrency: limits.concurrency,
        },
        cache: claims.cache,
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{GrantError, GrantSigner, GrantVerifier};
    use crate::principal::{AccessKeyLimits, OrganizationRole, Principal, Scopes, Subject};

    fn principal() -> Principal {
        Principal {
            access_key_id: "ak".into(),
            user: Some(Subject {
                id: "bob".into(),
                uid: "u-1".into(),
            }),
            organization: Some(Subject {
                id: "acme".into(),
                uid: "o-1".into(),
            }),
            project: None,
            organization_role: Some(OrganizationRole::Member),
            scopes: Scopes::all(),
            tier: "starter".into(),
            allowed_models: vec!["openai/gpt-4o".into()],
            limits: AccessKeyLimits {
                requests_per_minute: 5,
                ..AccessKeyLimits::default()
            },
            cache: Some(true),
        }
    }

    fn setup() -> (GrantSigner, GrantVerifier, Timestamp) {
        let signer = GrantSigner::from_seed("s1", &[7; 32]).unwrap();
        let verifier = GrantVerifier::new();
        verifier.learn(&[signer.grant_key()]);
        (
            signer,
            verifier,
            Timestamp::from_second(1_800_000_000).unwrap(),
        )
    }

    #[test]
    fn a_grant_states_what_was_signed() {
        let (signer, verifier, now) = setup();
        let token = signer.sign("g1", &principal(), now);
        let verified = verifier.verify(token.as_str(), now).unwrap();
        assert_eq!(verified.principal, principal());
        assert_eq!(verified.grant_id, "g1");
    }

    #[test]
    fn a_grant_ends_after_a_minute() {
        let (signer, verifier, now) = setup();
        let token = signer.sign("g1", &principal(), now);
        let at = |seconds| now + SignedDuration::from_secs(seconds);
        assert!(verifier.verify(token.as_str(), at(59)).is_ok());
        assert_eq!(
            verifier.verify(token.as_str(), at(60)),
            Err(GrantError::NotValidNow)
        );
        assert_eq!(
            verifier.verify(token.as_str(), at(-6)),
            Err(GrantError::NotValidNow)
        );
    }

    #[test]
    fn no_changed_character_is_taken() {
        let (signer, verifier, now) = setup();
        let token = signer.sign("g1", &principal(), now).as_str().to_owned();
        for index in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(verifier.verify(&changed, now).is_err(), "at {index}");
        }
    }

    #[test]
    fn a_grant_of_another_signer_is_refused() {
        let (_, verifier, now) = setup();
        let stranger = GrantSigner::from_seed("s1", &[8; 32]).unwrap();
        let token = stranger.sign("g1", &principal(), now);
        assert_eq!(
            verifier.verify(token.as_str(), now),
            Err(GrantError::BadSignature)
        );
    }
}
