//! An answer told as events: the inverse of gathering them.

use super::{Answer, Choice, Content, Delta, Event, Opening, Part, Place};

impl Answer {
    /// The events of a stream that tells this answer, each part of it in one piece. Parts that no
    /// stream has are left out.
    pub fn into_events(self) -> Vec<Event> {
        let mut events = vec![Event::Start {
            id: self.id,
            model: self.model,
        }];
        for (number, choice) in (0..).zip(self.choices) {
            choice.tell(number, &mut events);
        }
        events.extend(self.usage.map(Event::Usage));
        events.push(Event::End);
        events
    }
}

impl Choice {
    fn tell(self, choice: u32, events: &mut Vec<Event>) {
        let told = self.parts.into_iter().filter_map(told);
        for (part, (opening, deltas)) in (0..).zip(told) {
            let place = Place { choice, part };
            events.push(Event::Open(place, opening));
            let deltas = deltas.into_iter();
            events.extend(deltas.map(|delta| Event::Delta(place, delta)));
            events.push(Event::Close(place));
        }
        if !self.logprobs.is_empty() {
            events.push(Event::Logprobs(choice, self.logprobs));
        }
        events.extend(self.stop.map(|stop| Event::Finish(choice, stop)));
    }
}

/// What opens a part, and what is then added to it.
fn told(part: Part) -> Option<(Opening, Vec<Delta>)> {
    Some(match part.content {
        Content::Text { text, citations } => {
            let mut deltas = vec![Delta::Text(text)];
            deltas.extend(citations.into_iter().map(Delta::Citation));
            (Opening::Text, deltas)
        }
        Content::Refusal(text) => (Opening::Refusal, vec![Delta::Text(text)]),
        Content::Reasoning {
            text,
            signature,
            redacted,
        } => {
            let text = Some(text).filter(|text| !text.is_empty());
            let mut deltas: Vec<_> = text.map(Delta::Text).into_iter().collect();
            deltas.extend(signature.map(Delta::Signature));
            (Opening::Reasoning { redacted }, deltas)
        }
        Content::ToolCall(call) => {
            let (id, name) = (call.id, call.name);
            let opening = Opening::ToolCall { id, name };
            (opening, vec![Delta::Arguments(call.arguments)])
        }
        Content::Image(media) => (Opening::Image(media), Vec::new()),
        Content::File(_) | Content::Audio(_) | Content::ToolResult(_) => return None,
    })
}
