//! One part after another: for forms whose parts of an answer cannot be open beside each other.

use crate::canonical::{Event, Place};

/// Puts events of parts in the order of the parts. What belongs to a later part waits until the
/// earlier one is closed; only calls of tools are ever open beside each other, so nothing that is
/// shown while it comes has to wait for long.
#[derive(Debug, Default)]
pub(crate) struct Sequencer {
    open: Option<Place>,
    waiting: Vec<Event>,
}

impl Sequencer {
    /// Takes the next event and hands on whatever may follow now.
    pub(crate) fn take(&mut self, event: Event, mut pass: impl FnMut(Event)) {
        if place(&event).is_none() {
            return pass(event);
        }
        self.waiting.push(event);
        while let Some(next) = self.next() {
            match &next {
                Event::Open(place, _) => self.open = Some(*place),
                Event::Close(_) => self.open = None,
                _ => {}
            }
            pass(next);
        }
    }

    /// The first event that waits and may pass: of the open part, or the next one's opening.
    fn next(&mut self) -> Option<Event> {
        let may_pass = |event: &Event| match self.open {
            Some(open) => place(event) == Some(open),
            None => true,
        };
        let at = self.waiting.iter().position(may_pass)?;
        Some(self.waiting.remove(at))
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
