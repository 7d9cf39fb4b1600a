//! What holds between any two forms: what both can express goes there and back unharmed, and a
//! stream tells what the plain answer would have, however its bytes are cut.

mod given;
mod identity;
mod streams;
