//! OpenAI's older completions, as callers speak them: a prompt in, a text out. No provider is asked in
//! this form by way of another.

mod answer;
mod request;
mod stream;

pub(crate) use answer::write as write_answer;
pub(crate) use request::read as read_request;
pub(crate) use stream::EventWriter;
