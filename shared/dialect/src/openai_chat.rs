//! OpenAI's chat completions, and those of whoever does as OpenAI does.

mod answer;
mod citations;
mod content;
mod message;
mod reasoning;
mod request;
pub(crate) mod stop;
mod stream_read;
mod stream_write;
mod tools;
mod turns;
pub(crate) mod usage;
mod write;

pub(crate) use answer::{read as read_answer, write as write_answer};
pub(crate) use request::read as read_request;
pub(crate) use stream_read::EventReader;
pub(crate) use stream_write::EventWriter;
pub(crate) use write::{SCHEMA_NAME, user, write as write_request};
