//! Usage as Anthropic's messages report it: disjoint but for reasoning, and in a stream twice, first
//! the prompt's and then the answer's, each time of all so far.

use keyward_money::{MeasuredUsage, Usage};
use serde::Deserialize;
use serde_json::Number;

use super::{believable, whole};

/// An answer or an event, as far as usage goes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    usage: Option<Reported>,
    /// The event that begins a message.
    message: Option<Begun>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Begun {
    usage: Option<Reported>,
}

/// What was reported so far.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reported {
    input_tokens: Option<Number>,
    cache_creation_input_tokens: Option<Number>,
    cache_read_input_tokens: Option<Number>,
    cache_creation: Option<Written>,
    output_tokens: Option<Number>,
    output_tokens_details: Option<Made>,
    server_tool_use: Option<Served>,
}

/// Writes to the cache by how long they live.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_field_names)] // The names are the wire's.
struct Written {
    ephemeral_5m_input_tokens: Option<Number>,
    ephemeral_1h_input_tokens: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Made {
    thinking_tokens: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Served {
    web_search_requests: Option<Number>,
}

impl Reported {
    /// Takes a report in; what it does not name stands as before.
    pub(super) fn take(&mut self, json: &[u8]) -> Option<MeasuredUsage> {
        let envelope: Envelope = serde_json::from_slice(json).ok()?;
        let begun = envelope.message.and_then(|message| message.usage);
        let reported = envelope.usage.or(begun)?;
        self.and(reported);
        self.input_tokens.as_ref().or(self.output_tokens.as_ref())?;
        believable(self.disjoint())
    }

    fn and(&mut self, later: Self) {
        fn newer<T>(place: &mut Option<T>, later: Option<T>) {
            if later.is_some() {
                *place = later;
            }
        }
        newer(&mut self.input_tokens, later.input_tokens);
        newer(
            &mut self.cache_creation_input_tokens,
            later.cache_creation_input_tokens,
        );
        newer(
            &mut self.cache_read_input_tokens,
            later.cache_read_input_tokens,
        );
        newer(&mut self.cache_creation, later.cache_creation);
        newer(&mut self.output_tokens, later.output_tokens);
        newer(&mut self.output_tokens_details, later.output_tokens_details);
        newer(&mut self.server_tool_use, later.server_tool_use);
    }

    fn disjoint(&self) -> MeasuredUsage {
        let written = self.cache_creation.as_ref();
        let for_an_hour = whole(written.and_then(|by| by.ephemeral_1h_input_tokens.as_ref()));
        let for_minutes = whole(written.and_then(|by| by.ephemeral_5m_input_tokens.as_ref()));
        // The total stands for those who do not say for how long.
        let all = whole(self.cache_creation_input_tokens.as_ref());
        let thought = self.output_tokens_details.as_ref();
        let reasoning_tokens = whole(thought.and_then(|made| made.thinking_tokens.as_ref()));
        let searched = self.server_tool_use.as_ref();
        Usage::from_disjoint(Usage {
            input_tokens: whole(self.input_tokens.as_ref()),
            cache_read_tokens: whole(self.cache_read_input_tokens.as_ref()),
            cache_write_5m_tokens: for_minutes.max(all.saturating_sub(for_an_hour)),
            cache_write_1h_tokens: for_an_hour,
            output_tokens: whole(self.output_tokens.as_ref()).saturating_sub(reasoning_tokens),
            reasoning_tokens,
            searches: whole(searched.and_then(|tools| tools.web_search_requests.as_ref())),
            ..Usage::default()
        })
    }
}
