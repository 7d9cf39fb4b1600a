//! Parts of a streamed answer, for forms that only tell what is added and not where it begins.

use std::collections::BTreeMap;

use crate::canonical::{Delta, Event, Opening, Place};
use crate::refusal::Garbled;

/// The most choices that an answer may have: as many as OpenAI gives.
pub(crate) const CHOICES_MAX: u32 = 128;

/// Which parts are open, and which number is next.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    choices: BTreeMap<u32, Open>,
}

/// A call that is open.
#[derive(Debug)]
struct Call {
    id: String,
    place: Place,
}

/// The parts of one choice.
#[derive(Debug, Default)]
struct Open {
    next: u32,
    /// The open part that is no call.
    plain: Option<(Place, Opening)>,
    /// Calls by the number that the form gives them.
    calls: BTreeMap<u64, Call>,
    called: bool,
}

impl Parts {
    /// Adds to the part that is open if it is of the same kind, else to a new one.
    pub(crate) fn add(
        &mut self,
        choice: u32,
        opening: &Opening,
        delta: Delta,
        out: &mut Vec<Event>,
    ) -> Result<(), Garbled> {
        let place = self.choice(choice)?.plain(choice, opening, out);
        out.push(Event::Delta(place, delta));
        Ok(())
    }

    /// A part that is told whole.
    pub(crate) fn whole(
        &mut self,
        choice: u32,
        opening: Opening,
        delta: Option<Delta>,
        out: &mut Vec<Event>,
    ) -> Result<(), Garbled> {
        let open = self.choice(choice)?;
        open.close_plain(out);
        open.called |= matches!(opening, Opening::ToolCall { .. });
        let place = open.place(choice);
        out.push(Event::Open(place, opening));
        out.extend(delta.map(|delta| Event::Delta(place, delta)));
        out.push(Event::Close(place));
        Ok(())
    }

    /// The call with a number of the form's, if it was begun, and under the id that is told here, if
    /// one is.
    pub(crate) fn call(
        &mut self,
        choice: u32,
        number: u64,
        id: Option<&str>,
    ) -> Result<Option<Place>, Garbled> {
        let call = self.choice(choice)?.calls.get(&number);
        let call = call.filter(|call| id.is_none_or(|id| id == call.id));
        Ok(call.map(|call| call.place))
    }

    /// Begins a call; another one with its number is at its end.
    pub(crate) fn begin_call(
        &mut self,
        choice: u32,
        number: u64,
        (id, name): (String, String),
        out: &mut Vec<Event>,
    ) -> Result<Place, Garbled> {
        let open = self.choice(choice)?;
        open.close_plain(out);
        open.called = true;
        let place = open.place(choice);
        let call = Call {
            id: id.clone(),
            place,
        };
        let before = open.calls.insert(number, call);
        out.extend(before.map(|call| Event::Close(call.place)));
        out.push(Event::Open(place, Opening::ToolCall { id, name }));
        Ok(place)
    }

    /// Closes whatever is open of a choice; says whether it calls a tool.
    pub(crate) fn close(&mut self, choice: u32, out: &mut Vec<Event>) -> Result<bool, Garbled> {
        let open = self.choice(choice)?;
        open.close_plain(out);
        for call in std::mem::take(&mut open.calls).into_values() {
            out.push(Event::Close(call.place));
        }
        Ok(open.called)
    }

    fn choice(&mut self, choice: u32) -> Result<&mut Open, Garbled> {
        if choice >= CHOICES_MAX {
            return Err(Garbled::new("there is no such choice"));
        }
        Ok(self.choices.entry(choice).or_default())
    }
}

impl Open {
    fn place(&mut self, choice: u32) -> Place {
        let part = self.next;
        self.next += 1;
        Place { choice, part }
    }

    fn plain(&mut self, choice: u32, opening: &Opening, out: &mut Vec<Event>) -> Place {
        if let Some((place, open)) = &self.plain
            && open == opening
        {
            return *place;
        }
        self.close_plain(out);
        let place = self.place(choice);
        self.plain = Some((place, opening.clone()));
        out.push(Event::Open(place, opening.clone()));
        place
    }

    fn close_plain(&mut self, out: &mut Vec<Event>) {
        if let Some((place, _)) = self.plain.take() {
            out.push(Event::Close(place));
        }
    }
}
