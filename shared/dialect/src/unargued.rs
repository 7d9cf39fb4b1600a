//! Calls without arguments: where a provider streams nothing for them, callers still wait for JSON.

use std::collections::BTreeSet;

use crate::canonical::{Delta, Event, NO_ARGUMENTS, Opening, Place};

/// The open calls that have no arguments yet.
#[derive(Debug, Default)]
pub(crate) struct Unargued(BTreeSet<Place>);

impl Unargued {
    /// What has to be told before an event: that a call which ends with it has no arguments.
    pub(crate) fn before(&mut self, event: &Event) -> Option<Event> {
        match event {
            Event::Open(place, Opening::ToolCall { .. }) => {
                self.0.insert(*place);
                None
            }
            Event::Delta(place, Delta::Arguments(_)) => {
                self.0.remove(place);
                None
            }
            Event::Close(place) if self.0.remove(place) => {
                let none = Delta::Arguments(NO_ARGUMENTS.to_owned());
                Some(Event::Delta(*place, none))
            }
            _ => None,
        }
    }
}
