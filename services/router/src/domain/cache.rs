//! Answers that are stored for the very same request: what "the same" means, what is kept of an
//! answer, and a shelf of bounded bytes that keeps it.

mod answer;
mod canonical;
mod key;
mod shelf;
mod wish;

pub use answer::StoredAnswer;
pub use key::{Form, Key, Name};
pub use shelf::{Placed, Shelf};
pub(crate) use wish::Wish;

/// The largest answer that is stored: longer ones are rare, and a few would crowd out all others.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;
