//! Serving HTTP: connections and their bounds, what is seen of each request, bodies.

mod accept;
mod body;
mod framing;
mod guard;
mod observe;
mod patience;

pub(crate) use accept::serve;
pub(crate) use body::BodyReader;
pub(crate) use observe::{Observer, observe};
