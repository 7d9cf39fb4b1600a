//! OpenAI's responses.

mod answer;
mod content;
mod event;
mod item;
mod items;
mod request;
mod stream_read;
mod stream_write;
mod tools;
mod turns;
mod usage;
mod write;

pub(crate) use answer::{read as read_answer, write as write_answer};
pub(crate) use request::read as read_request;
pub(crate) use stream_read::EventReader;
pub(crate) use stream_write::EventWriter;
pub(crate) use write::write as write_request;
