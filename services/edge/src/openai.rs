//! OpenAI's API: chat completions and models.

mod answer;
mod chat;
mod extras;
mod models;
mod upload;

pub(crate) use chat::chat_completions;
pub(crate) use extras::{CLIENT_REQUEST_ID_BYTES_MAX, Extras};
pub(crate) use models::{get_model, list_models};
