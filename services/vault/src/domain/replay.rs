//! What is remembered of a change, so that the same request sent again gets the same answer and
//! changes nothing (AIP-155). Neither a request nor its id is kept as text: only digests under a key
//! of the vault's own, which nobody can guess their way back from.

use jiff::{SignedDuration, Timestamp};
use ring::hmac;

use super::access::Thing;
use super::owner::Owner;

const ID_LABEL: &[u8] = b"keyward-vault/v1/replay-id\0";
const REQUEST_LABEL: &[u8] = b"keyward-vault/v1/replay-request\0";

/// How long an answer is remembered: longer than anybody retries.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// The longest id of a request, as that of HTTP's `Idempotency-Key`.
pub const REQUEST_ID_BYTES_MAX: usize = 255;

/// Which change was asked for: a digest of caller, method and request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplayId(pub [u8; 32]);

/// A digest of what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestDigest(pub [u8; 32]);

/// The key that both are made with.
pub struct ReplayKey(hmac::Key);

impl ReplayKey {
    /// From 32 random bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The id of a caller's change. `caller` says in fields of its own who it is.
    pub fn id(&self, caller: &[&[u8]], method: &str, request_id: &str) -> ReplayId {
        let fields = caller.iter().copied();
        let fields = fields.chain([method.as_bytes(), request_id.as_bytes()]);
        ReplayId(self.digest(ID_LABEL, fields))
    }

    /// The digest of a request as it came over the wire.
    pub fn request(&self, message: &[u8]) -> RequestDigest {
        RequestDigest(self.digest(REQUEST_LABEL, [message]))
    }

    /// Each field with its length before it, so that no two lists of fields look alike.
    fn digest<'a>(&self, label: &[u8], fields: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(label);
        for field in fields {
            let length = u64::try_from(field.len()).unwrap_or(u64::MAX);
            context.update(&length.to_be_bytes());
            context.update(field);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}

impl std::fmt::Debug for ReplayKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReplayKey([redacted])")
    }
}

/// Under what a change was allowed; whoever asks for its answer again must still be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority {
    /// Whose things were changed. The answer goes when this owner goes.
    pub owner: Owner,
    /// What of it; none where the calling service is authority enough.
    pub thing: Option<Thing>,
}

impl Authority {
    /// That of whoever manages this owner's things of a kind.
    pub const fn over(owner: Owner, thing: Thing) -> Self {
        Self {
            owner,
            thing: Some(thing),
        }
    }

    /// That of a service, in a matter of this owner.
    pub const fn of_service(owner: Owner) -> Self {
        Self { owner, thing: None }
    }
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptAnswer {
    /// The encoded message.
    Plain(Vec<u8>),
    /// The encoded message, which holds a secret, sealed under the owner's data key.
    Sealed(Vec<u8>),
}

/// What is remembered of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Which.
    pub id: ReplayId,
    /// Of what was asked for.
    pub request: RequestDigest,
    /// Under what it was allowed.
    pub authority: Authority,
    /// What was answered.
    pub answer: KeptAnswer,
    /// When.
    pub time: Timestamp,
}

/// Before when an answer is remembered no longer.
pub fn forgotten_before(now: Timestamp) -> Timestamp {
    now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_calls_share_an_id_and_no_two_requests_a_digest() {
        let key = ReplayKey::new(&[7; 32]);
        let id = |caller: &[&[u8]], method, request| key.id(caller, method, request);
        let first = id(&[b"a", b"b"], "CreateUser", "1");
        assert_eq!(first, id(&[b"a", b"b"], "CreateUser", "1"));
        for other in [
            id(&[b"ab", b""], "CreateUser", "1"),
            id(&[b"a"], "bCreateUser", "1"),
            id(&[b"a", b"b"], "CreateUser1", ""),
            id(&[b"a", b"b"], "DeleteUser", "1"),
            id(&[b"a", b"b"], "CreateUser", "2"),
            ReplayKey::new(&[8; 32]).id(&[b"a", b"b"], "CreateUser", "1"),
        ] {
            assert_ne!(first, other);
        }
        assert_eq!(key.request(b"x"), key.request(b"x"));
        assert_ne!(key.request(b"x"), key.request(b"y"));
        assert_ne!(key.request(b"x").0, key.id(&[], "", "").0);
    }
}
