//! One part after another: for forms whose parts of an answer cannot be open beside each other.

use std::collections::BTreeMap;

use crate::canonical::{Event, Place};

/// Puts events of parts in the order of the parts. What belongs to a later part waits until the
/// earlier one is closed; only calls of tools are ever open beside each other, so nothing that is
/// shown while it comes has to wait for long.
#[derive(Debug, Default)]
pub(crate) struct Sequencer {
    open: Option<Place>,
    waiting: BTreeMap<Place, Vec<Event>>,
}

impl Sequencer {
    /// Takes the next event and hands on whatever may follow now.
    pub(crate) fn take(&mut self, event: Event, mut pass: impl FnMut(Event)) {
        match (place(&event), self.open) {
            (Some(place), Some(open)) if place != open => {
                self.waiting.entry(place).or_default().push(event);
            }
            (Some(_), _) => {
                self.pass(event, &mut pass);
                self.release(&mut pass);
            }
            (None, _) => pass(event),
        }
    }

    fn pass(&mut self, event: Event, pass: &mut impl FnMut(Event)) {
        match &event {
            Event::Open(place, _) => self.open = Some(*place),
            Event::Close(_) => self.open = None,
            _ => {}
        }
        pass(event);
    }

    /// While none is open, whatever waits of the next part.
    fn release(&mut self, pass: &mut impl FnMut(Event)) {
        while self.open.is_none()
            && let Some((_, events)) = self.waiting.pop_first()
        {
            for event in events {
                self.pass(event, pass);
            }
        }
    }
}

fn place(event: &Event) -> Option<Place> {
    match event {
        Event::Open(place, _) | Event::Delta(place, _) | Event::Close(place) => Some(*place),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::{Delta, Opening};

    #[test]
    fn parts_that_are_open_beside_each_other_follow_one_another() {
        let at = |part| Place { choice: 0, part };
        let more = |part, text: &str| Event::Delta(at(part), Delta::Arguments(text.to_owned()));
        let open = |part| Event::Open(at(part), Opening::Text);
        let close = |part| Event::Close(at(part));
        let (mut sequencer, mut passed) = (Sequencer::default(), Vec::new());
        let events = [
            open(0),
            more(0, "a"),
            open(1),
            more(1, "b"),
            more(0, "c"),
            open(2),
            more(1, "d"),
            close(0),
            close(1),
            more(2, "e"),
            close(2),
        ];
        for event in events {
            sequencer.take(event, |event| passed.push(event));
        }
        let expect = [
            open(0),
            more(0, "a"),
            more(0, "c"),
            close(0),
            open(1),
            more(1, "b"),
            more(1, "d"),
            close(1),
            open(2),
            more(2, "e"),
            close(2),
        ];
        assert_eq!(passed, expect);
    }
}
