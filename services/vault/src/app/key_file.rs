//! The master key in a file: made on the first start, readable by its owner alone.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::domain::master_key::{MASTER_KEY_BYTES, MasterKey, MasterKeyError};

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

/// The master key in `path`, made if there is none and there may be none. The id is part of the
/// file, before a colon, so that a key keeps its id wherever it is put.
///
/// # Errors
/// [`KeyFileError`]; a file that others may read is refused.
pub(crate) fn read_or_make(path: &Path, may_make: bool) -> Result<MasterKey, KeyFileError> {
    let fault = |source| KeyFileError::File {
        path: path.to_owned(),
        source,
    };
    match fs::read_to_string(path) {
        Ok(text) => {
            let text = zeroize::Zeroizing::new(text);
            refuse_if_readable(path)?;
            let (id, key) = text
                .trim()
                .split_once(':')
                .unwrap_or(("default", text.trim()));
            Ok(MasterKey::from_base64(id, key)?)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_make => make(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(KeyFileError::Missing(path.to_owned()))
        }
        Err(error) => Err(fault(error)),
    }
}

fn make(path: &Path) -> Result<MasterKey, KeyFileError> {
    let bytes = super::sealing::random::<MASTER_KEY_BYTES>();
    let bytes = bytes.map_err(|_| KeyFileError::NoRandomness)?;
    let id = format!(
        "generated-{}",
        &keyward_runtime::ids::new().simple().to_string()[24..]
    );
    let key = MasterKey::new(&id, &bytes)?;
    let line = zeroize::Zeroizing::new(format!("{id}:{}\n", key.to_base64().as_str()));
    write_private(path, line.as_bytes()).map_err(|source| KeyFileError::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(key)
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn refuse_if_readable(path: &Path) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).map_err(|source| KeyFileError::File {
        path: path.to_owned(),
        source,
    })?;
    let others = metadata.permissions().mode() & 0o077;
    match others {
        0 => Ok(()),
        _ => Err(KeyFileError::Readable(path.to_owned())),
    }
}

#[cfg(not(unix))]
fn refuse_if_readable(_: &Path) -> Result<(), KeyFileError> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        assert!(matches!(
            read_or_make(&path, false),
            Err(KeyFileError::Missing(_))
        ));
        let made = read_or_make(&path, true).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let read = read_or_make(&path, false).unwrap();
        assert_eq!((read.id(), read.to_base64()), (made.id(), made.to_base64()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            read_or_make(&path, true),
            Err(KeyFileError::Readable(_))
        ));
    }

    #[test]
    fn a_weak_key_in_a_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        write_private(&path, b"changeme\n").unwrap();
        assert!(matches!(
            read_or_make(&path, true),
            Err(KeyFileError::Key(_))
        ));
    }
}
