//! What is on its way to be told, in order, so that somebody can wait for all that was begun before.

use std::collections::BTreeSet;

/// Numbers of what is on its way.
#[derive(Debug, Default)]
pub struct Tickets {
    last: u64,
    open: BTreeSet<u64>,
}

impl Tickets {
    /// Something is on its way from now on.
    pub fn begin(&mut self) -> u64 {
        self.last += 1;
        self.open.insert(self.last);
        self.last
    }

    /// It has arrived.
    pub fn end(&mut self, ticket: u64) {
        self.open.remove(&ticket);
    }

    /// The last that was begun.
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// Whether all up to that one have arrived.
    pub fn are_over(&self, until: u64) -> bool {
        self.open.first().is_none_or(|first| *first > until)
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Tickets;

    #[test]
    fn what_was_begun_before_is_waited_for_and_nothing_after() {
        let mut tickets = Tickets::default();
        let (first, second) = (tickets.begin(), tickets.begin());
        let until = tickets.last();
        let later = tickets.begin();
        assert!(!tickets.are_over(until));
        tickets.end(second);
        assert!(!tickets.are_over(until));
        tickets.end(first);
        assert!(tickets.are_over(until) && !tickets.are_over(later) && !tickets.is_empty());
        tickets.end(later);
        assert!(tickets.is_empty());
    }
}
