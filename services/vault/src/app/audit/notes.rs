//! The folder of checkpoints: signed notes of every instance, and the key to verify them by.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::audit::checkpoint::{Checkpoint, NoteError, SignedNote, parse_all};

/// The public keys, one in base64 on each line.
pub(super) const PUBLIC_KEY_FILE: &str = "audit.pub";

/// What a file of checkpoints ends with.
const EXTENSION: &str = "checkpoints";

/// Why checkpoints cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotesError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} holds something that is no checkpoint", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: NoteError,
    },
}

/// All notes in a folder, by file in order of time.
pub(super) fn all(folder: &Path) -> Result<Vec<Vec<SignedNote>>, NotesError> {
    let read = |path: &Path| {
        let path = path.to_owned();
        move |source| NotesError::Read { path, source }
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(read(folder))? {
        let path = entry.map_err(read(folder))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == EXTENSION)
        {
            // What follows the last whole note may be torn in the middle of a character.
            let bytes = fs::read(&path).map_err(read(&path))?;
            let notes = parse_all(&String::from_utf8_lossy(&bytes))
                .map_err(|source| NotesError::Malformed { path, source })?;
            files.push(notes);
        }
    }
    Ok(files)
}

/// The newest of each instance, whoever signed it: a forged one can only stop a start.
pub(super) fn newest(folder: &Path) -> Result<Vec<Checkpoint>, NotesError> {
    let last = |notes: Vec<SignedNote>| {
        let largest = notes
            .into_iter()
            .max_by_key(|note| note.checkpoint.head.sequence);
        largest.map(|note| note.checkpoint)
    };
    Ok(all(folder)?.into_iter().filter_map(last).collect())
}

/// Lays the key beside the checkpoints, unless it is there.
pub(super) fn publish(folder: &Path, public_key: &[u8; 32]) -> io::Result<()> {
    let path = folder.join(PUBLIC_KEY_FILE);
    if public_keys(&path).unwrap_or_default().contains(public_key) {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    let mut file = options.create(true).append(true).mode(0o644).open(&path)?;
    writeln!(file, "{}", STANDARD.encode(public_key))?;
    file.sync_all()
}

/// Adds a note to a file, for good.
pub(super) fn append(path: &Path, note: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.create(true).append(true).mode(0o600).open(path)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()
}

/// The keys in a file of them.
pub(super) fn public_keys(path: &Path) -> io::Result<Vec<[u8; 32]>> {
    let key = |line: &str| {
        let bytes = STANDARD.decode(line.trim()).ok()?;
        bytes.try_into().ok()
    };
    Ok(fs::read_to_string(path)?.lines().filter_map(key).collect())
}
