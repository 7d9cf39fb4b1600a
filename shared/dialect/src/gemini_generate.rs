//! Gemini's `generateContent` and `streamGenerateContent`. Google takes names in camel and in snake
//! case, so both are read; camel case is written.

mod answer;
mod calls;
mod part;
pub(crate) mod parts;
mod request;
mod schema;
mod signature;
mod stop;
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

/// What an answer may be of where images are wanted: not every model makes them alone.
pub(crate) const WITH_IMAGES: [&str; 2] = ["TEXT", "IMAGE"];
