//! What holds between any two forms: what both can express goes there and back unharmed, and a
//! stream tells what the plain answer would have, however its bytes are cut.

pub(crate) mod given;
mod identity;
pub(crate) mod streams;
