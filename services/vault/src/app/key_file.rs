//! Master keys in a file: made on the first start, readable by its owner alone, one `id:base64` line
//! for each key, the first of them current.

use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use keyward_runtime::private;
use parking_lot::Mutex;
use zeroize::Zeroizing;

use crate::domain::master_key::{MASTER_KEY_BYTES, MasterKey, MasterKeyError, MasterKeyRing};

/// The id of the one key in a file of the oldest form, which has no id in it.
const NAMELESS: &str = "default";

/// Why a master key file is refused.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or written.
    #[error("the master key file {} cannot be used", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others than its owner may read it.
    #[error("the master key file {} can be read by others: `chmod 600` it", .0.display())]
    Readable(PathBuf),
    /// Others than its owner may put another file in its place.
    #[error("the folder of the master key file, {}, can be written to by others: `chmod go-w` it", .0.display())]
    Replaceable(PathBuf),
    /// There is none, while there is a store that was sealed with one.
    #[error("the master key file {} is missing, but the store is there: put the key back", .0.display())]
    Missing(PathBuf),
    /// What is in it is no good.
    #[error(transparent)]
    Key(#[from] MasterKeyError),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    NoRandomness,
}

/// A file with a ring of master keys.
#[derive(Debug, Clone)]
pub(crate) struct KeyFile {
    path: PathBuf,
    /// Held by whoever changes the file: of two changes at once one would be lost, and with it a key.
    changing: Arc<Mutex<()>>,
}

impl KeyFile {
    /// The file at `path`, which need not be there yet.
    pub(crate) fn at(path: PathBuf) -> Self {
        let changing = Arc::default();
        Self { path, changing }
    }

    /// The keys in it; one is made if there is no file and there may be none.
    ///
    /// # Errors
    /// [`KeyFileError`]; a file that others may read or replace is refused.
    pub(crate) fn read_or_make(&self, may_make: bool) -> Result<MasterKeyRing, KeyFileError> {
        match fs::read_to_string(&self.path) {
            Ok(text) => {
                let text = Zeroizing::new(text);
                self.refuse_if_open_to_others()?;
                Ok(MasterKeyRing::new(parse(&text)?)?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && may_make => {
                let ring = MasterKeyRing::new(vec![generate(&generated_id())?])?;
                self.write(ring.keys())?;
                Ok(ring)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(KeyFileError::Missing(self.path.clone()))
            }
            Err(error) => Err(self.fault(error)),
        }
    }

    /// Adds a key behind those that are there.
    ///
    /// # Errors
    /// [`KeyFileError`]; the file is as before then.
    pub(crate) fn add(&self, key: MasterKey) -> Result<(), KeyFileError> {
        let _changing = self.changing.lock();
        let ring = self.read_or_make(false)?;
        let keys = ring.keys().cloned().chain([key]).collect();
        self.write(MasterKeyRing::new(keys)?.keys())
    }

    /// Takes a key out, and overwrites the file that it was in. False if it was not there.
    ///
    /// # Errors
    /// [`KeyFileError`]; the last key of a file stays.
    pub(crate) fn erase(&self, id: &str) -> Result<bool, KeyFileError> {
        let _changing = self.changing.lock();
        let ring = self.read_or_make(false)?;
        if ring.find(id.as_bytes()).is_none() {
            return Ok(false);
        }
        let rest = ring.keys().filter(|key| key.id() != id).cloned().collect();
        let rest = MasterKeyRing::new(rest)?;
        let old = fs::OpenOptions::new().write(true).open(&self.path);
        let old = old.map_err(|error| self.fault(error))?;
        self.write(rest.keys())?;
        // The new file is in place; what is still open is the old one, which has no name any more.
        overwrite(old).map_err(|error| self.fault(error))?;
        Ok(true)
    }

    /// Replaces the file as a whole, so that a crash leaves the old one or the new one.
    fn write<'a>(&self, keys: impl Iterator<Item = &'a MasterKey>) -> Result<(), KeyFileError> {
        let mut text = Zeroizing::new(String::with_capacity(4096));
        for key in keys {
            text.push_str(key.id());
            text.push(':');
            text.push_str(&key.to_base64());
            text.push('\n');
        }
        let new = self.path.with_extension("key.new");
        // Of a start or an addition that did not come to its end.
        let _ = fs::remove_file(&new);
        private::write_new(&new, text.as_bytes())
            .and_then(|()| fs::rename(&new, &self.path))
            .and_then(|()| sync_folder(&self.path))
            .map_err(|error| self.fault(error))
    }

    fn fault(&self, source: io::Error) -> KeyFileError {
        KeyFileError::File {
            path: self.path.clone(),
            source,
        }
    }

    #[cfg(unix)]
    fn refuse_if_open_to_others(&self) -> Result<(), KeyFileError> {
        use std::os::unix::fs::PermissionsExt as _;
        if private::is_open_to_others(&self.path).map_err(|error| self.fault(error))? {
            return Err(KeyFileError::Readable(self.path.clone()));
        }
        let folder = folder_of(&self.path);
        let metadata = fs::metadata(folder).map_err(|error| self.fault(error))?;
        // With the sticky bit nobody replaces what is another's.
        match metadata.permissions().mode() {
            open if open & 0o022 != 0 && open & 0o1000 == 0 => {
                Err(KeyFileError::Replaceable(folder.to_owned()))
            }
            _ => Ok(()),
        }
    }

    #[cfg(not(unix))]
    fn refuse_if_open_to_others(&self) -> Result<(), KeyFileError> {
        Ok(())
    }
}

/// A new master key of random bytes.
///
/// # Errors
/// [`KeyFileError`] if the id is malformed, or there is no randomness.
pub(crate) fn generate(id: &str) -> Result<MasterKey, KeyFileError> {
    let bytes = super::sealing::random::<MASTER_KEY_BYTES>();
    let bytes = bytes.map_err(|_| KeyFileError::NoRandomness)?;
    Ok(MasterKey::new(id, &bytes)?)
}

/// An id that no other master key has.
pub(crate) fn generated_id() -> String {
    let unique = keyward_runtime::ids::new().simple().to_string();
    format!("generated-{}", &unique[24..])
}

/// The id is part of a line, before a colon, so that a key keeps it wherever it is put.
fn parse(text: &str) -> Result<Vec<MasterKey>, MasterKeyError> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (id, key) = line.split_once(':').unwrap_or((NAMELESS, line));
            MasterKey::from_base64(id, key)
        })
        .collect()
}

fn overwrite(mut file: File) -> io::Result<()> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    file.seek(io::SeekFrom::Start(0))?;
    file.write_all(&vec![0; length])?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(all(test, unix))]
mod tests;
