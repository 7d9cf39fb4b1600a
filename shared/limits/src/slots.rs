//! Slots for what may run at one time: each has a holder and an expiry, so that one whose holder died
//! frees itself.

use std::collections::HashMap;

/// How long a slot stands that nobody renews, in microseconds: so long the slots of a process that
/// died are taken.
pub const LIFETIME_MICROS: u64 = 15_000_000;

/// The slots of one counter.
#[derive(Debug, Default)]
pub struct SlotSet {
    expiries: HashMap<String, u64>,
}

impl SlotSet {
    /// Whether there is one more, now.
    pub fn has_room(&mut self, limit: u64, now: u64) -> bool {
        self.expiries.retain(|_, expiry| *expiry > now);
        (self.expiries.len() as u64) < limit
    }

    /// Takes one.
    pub fn take(&mut self, holder: &str, now: u64) {
        let expiry = now.saturating_add(LIFETIME_MICROS);
        self.expiries.insert(holder.to_owned(), expiry);
    }

    /// Lets one stand for longer, if it still stands.
    pub fn renew(&mut self, holder: &str, now: u64) {
        if let Some(expiry) = self
            .expiries
            .get_mut(holder)
            .filter(|expiry| **expiry > now)
        {
            *expiry = now.saturating_add(LIFETIME_MICROS);
        }
    }

    /// Frees one.
    pub fn release(&mut self, holder: &str) {
        self.expiries.remove(holder);
    }

    /// Whether none stands.
    pub fn is_empty(&self, now: u64) -> bool {
        self.expiries.values().all(|expiry| *expiry <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::{LIFETIME_MICROS, SlotSet};

    #[test]
    fn a_slot_ends_by_release_or_by_its_expiry_unless_it_is_renewed() {
        let mut slots = SlotSet::default();
        for holder in ["a", "b"] {
            assert!(slots.has_room(2, 0));
            slots.take(holder, 0);
        }
        assert!(!slots.has_room(2, 0));
        slots.release("a");
        assert!(slots.has_room(2, 0));
        slots.renew("b", LIFETIME_MICROS - 1);
        assert!(!slots.has_room(1, LIFETIME_MICROS));
        assert!(slots.has_room(1, 2 * LIFETIME_MICROS));
        slots.renew("b", 2 * LIFETIME_MICROS);
        assert!(
            slots.is_empty(2 * LIFETIME_MICROS),
            "what is over is not renewed"
        );
    }
}
