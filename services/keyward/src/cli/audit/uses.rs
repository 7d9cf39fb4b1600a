//! Uses of keys held against the leases in the log: whoever used a key had it from the vault, and the
//! vault said so. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use keyward_metering::inspect::KeyUse;
use keyward_vault::domain::audit::{Action, AuditEvent, Outcome};

/// How long a lease may be used: 30 s, and what the clocks of two machines may differ by.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
const CLOCKS: SignedDuration = SignedDuration::from_secs(5);

/// The leases that the log knows.
#[derive(Debug, Default)]
pub(super) struct Leases {
    given: BTreeMap<String, (String, Timestamp)>,
}

/// What was found of the uses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct UsesProof {
    /// How many uses lie within a lease of their key.
    pub(super) matched: usize,
    /// How many leases nobody is recorded to have used: requests that ended before they were sent.
    pub(super) unused: usize,
    /// Uses that do not.
    pub(super) faults: Vec<String>,
}

impl Leases {
    /// Takes what an event says of leases.
    pub(super) fn add(&mut self, event: &AuditEvent) {
        let given = event.action == Action::ProviderKeyUnseal.name()
            && event.outcome == Outcome::Ok.name()
            && event.purpose != "test";
        if given {
            let lease = (event.resource_id.clone(), event.time);
            self.given.insert(event.lease_id.clone(), lease);
        }
    }

    /// Holds uses against them.
    pub(super) fn match_with(&self, uses: &[KeyUse]) -> UsesProof {
        let mut proof = UsesProof::default();
        let mut used = BTreeSet::new();
        for key_use in uses {
            match self.fault(key_use) {
                None => {
                    proof.matched += 1;
                    used.insert(key_use.lease_id.as_str());
                }
                Some(fault) => proof.faults.push(format!(
                    "request {}, attempt {}, used key {} {fault}",
                    key_use.request_id, key_use.attempt, key_use.provider_key_id
                )),
            }
        }
        proof.unused = self.given.len() - used.len();
        proof
    }

    fn fault(&self, key_use: &KeyUse) -> Option<&'static str> {
        let Some((key, given)) = self.given.get(&key_use.lease_id) else {
            return Some("under a lease that the log does not know");
        };
        if *key != key_use.provider_key_id {
            return Some("under the lease of another key");
        }
        let Some(time) = key_use.time else {
            return Some("at a time that was not recorded");
        };
        let after = time.duration_since(*given);
        let within = after >= -CLOCKS && after <= LEASE + CLOCKS;
        (!within).then_some("outside the time of its lease")
    }
}

#[cfg(test)]
mod tests {
    use keyward_vault::domain::audit::Actor;
    use uuid::Uuid;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn leases() -> Leases {
        let mut leases = Leases::default();
        for (lease, key) in [("l1", "k1"), ("l2", "k2")] {
            let action = Action::ProviderKeyUnseal;
            let mut event = AuditEvent::new(Uuid::nil(), at(0), &Actor::default(), action, key);
            event.purpose = "serve".to_owned();
            event.lease_id = lease.to_owned();
            leases.add(&event);
        }
        leases
    }

    fn key_use(key: &str, lease: &str, second: i64) -> KeyUse {
        KeyUse {
            request_id: "r".to_owned(),
            attempt: 1,
            provider_key_id: key.to_owned(),
            lease_id: lease.to_owned(),
            time: Some(at(second)),
        }
    }

    #[test]
    fn a_use_lies_within_a_lease_of_its_key_or_is_named() {
        let table = [
            (key_use("k1", "l1", 0), None),
            (key_use("k1", "l1", 30), None),
            (key_use("k1", "l1", 36), Some("outside the time")),
            (key_use("k1", "l1", -6), Some("outside the time")),
            (key_use("k1", "l2", 0), Some("of another key")),
            (key_use("k1", "l3", 0), Some("does not know")),
            (key_use("k1", "", 0), Some("does not know")),
        ];
        for (key_use, expect) in table {
            let proof = leases().match_with(std::slice::from_ref(&key_use));
            let found = proof.faults.first().map(String::as_str);
            assert_eq!(proof.matched, usize::from(expect.is_none()), "{key_use:?}");
            assert_eq!(proof.unused, 2 - proof.matched);
            match (found, expect) {
                (None, None) => {}
                (Some(found), Some(expect)) => assert!(found.contains(expect), "{found}"),
                other => panic!("{key_use:?}: {other:?}"),
            }
        }
    }
}
