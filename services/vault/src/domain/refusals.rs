//! How much is written down of who is refused again and again: enough to see it, and not so much that
//! whoever has a certificate could fill the audit log.

use std::collections::HashMap;

use jiff::Timestamp;

/// Events about one peer in a minute: more than there are methods, so that who tries each of them
/// once is written down in full.
pub const WRITTEN_MAX: u32 = 100;

/// Peers that are told apart; further ones share what is left to `unknown`. There are four roles, and
/// whoever else was given a certificate.
const PEERS_MAX: usize = 100;

/// The name that further ones share.
const FURTHER: &str = "unknown";

/// What was refused lately, by peer.
#[derive(Debug, Default)]
pub struct Refusals(HashMap<String, Tally>);

#[derive(Debug, Default)]
struct Tally {
    minute: i64,
    written: u32,
    left_out: u64,
}

impl Refusals {
    /// Counts a refusal. `None` where it is not to be written down; otherwise how many of this peer
    /// before it were not.
    pub fn note(&mut self, peer: &str, now: Timestamp) -> Option<u64> {
        let is_apart = self.0.contains_key(peer) || self.0.len() < PEERS_MAX;
        let peer = if is_apart { peer } else { FURTHER };
        let tally = self.0.entry(peer.to_owned()).or_default();
        let minute = now.as_second().div_euclid(60);
        if tally.minute != minute {
            (tally.minute, tally.written) = (minute, 0);
        }
        if tally.written == WRITTEN_MAX {
            tally.left_out += 1;
            return None;
        }
        tally.written += 1;
        Some(std::mem::take(&mut tally.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_040 + second).unwrap()
    }

    #[test]
    fn a_flood_is_written_down_in_part_and_counted_in_whole() {
        let mut refusals = Refusals::default();
        let mut note = |peer: &str, time| refusals.note(peer, second(time));
        for _ in 0..WRITTEN_MAX {
            assert_eq!(note("edge", 0), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(note("edge", 59), None);
        }
        assert_eq!(note("metering", 59), Some(0), "one is nothing to another");
        assert_eq!(note("edge", 60), Some(7));
        assert_eq!(note("edge", 60), Some(0));
    }

    #[test]
    fn however_many_peers_there_are_no_more_are_remembered_than_the_limit() {
        let mut refusals = Refusals::default();
        let written = (0..10_000).filter(|number| {
            let peer = format!("spiffe://test/keyward/{number}");
            refusals.note(&peer, second(0)).is_some()
        });
        assert_eq!(written.count(), PEERS_MAX + WRITTEN_MAX as usize);
        assert!(refusals.0.len() <= PEERS_MAX + 1);
    }
}
