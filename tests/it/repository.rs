//! What the repository promises about itself, held by checks instead of memory.

mod claims;
mod contracts;
mod dependencies;
mod layers;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    root.expect("tests/ lies in the repository").to_owned()
}
