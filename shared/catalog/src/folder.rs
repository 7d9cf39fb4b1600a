//! Versions of the data that were applied to an installation: immutable files in a folder, and which
//! of them is in force. Beside them the operator's overlay.
//!
//! An applied version is in force until the program itself brings newer data than it had when the
//! choice was made. So an upgrade is never held back by a choice of long ago, and a rollback is not
//! undone by a restart.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::{Catalog, CatalogError, CatalogFile};

/// Where an installation keeps its catalogues.
#[derive(Debug, Clone)]
pub struct CatalogFolder {
    folder: PathBuf,
    overlay: Option<PathBuf>,
    own_providers: Vec<String>,
}

/// Which version was chosen, and what the program had of its own then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The version.
    pub version: u64,
    /// The version that the program was built with when it was chosen.
    pub embedded: u64,
}

/// What the files were when they were looked at; differs when one of them changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp(Vec<Option<(std::time::SystemTime, u64)>>);

/// Why a folder of catalogues cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file cannot be read or written.
    #[error("{}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is no catalogue.
    #[error("{}", path.display())]
    Catalog {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: CatalogError,
    },
    /// No such version was applied here.
    #[error("there is no version {0} here")]
    NoVersion(u64),
}

impl From<(&Path, io::Error)> for FolderError {
    fn from((path, source): (&Path, io::Error)) -> Self {
        let path = path.to_owned();
        Self::File { path, source }
    }
}

impl CatalogFolder {
    /// The catalogues in a folder, which need not exist. `overlay` is the operator's file; where none
    /// is named, `overlay.json` in the folder is it, if it exists. `own_providers` are those that only
    /// the settings know.
    pub fn new(folder: PathBuf, overlay: Option<PathBuf>, own_providers: Vec<String>) -> Self {
        Self {
            folder,
            overlay,
            own_providers,
        }
    }

    /// The catalogue in force: the data in force, what is kept by hand, and the overlay.
    pub fn load(&self) -> Result<Catalog, FolderError> {
        self.load_with(self.data()?)
    }

    /// The catalogue that other data would make.
    pub fn load_with(&self, data: CatalogFile) -> Result<Catalog, FolderError> {
        let embedded = |source| FolderError::Catalog {
            path: PathBuf::from("the data that the program was built with"),
            source,
        };
        let mut file = data.under(CatalogFile::hand().map_err(embedded)?);
        let overlay = self.overlay()?;
        let path = match overlay {
            Some((path, overlay)) => {
                file = file.under(overlay);
                path
            }
            None => self.folder.clone(),
        };
        let catalog = Catalog::of(file, &self.own_providers);
        catalog.map_err(|source| FolderError::Catalog { path, source })
    }

    /// The data in force, without what lies over it.
    pub fn data(&self) -> Result<CatalogFile, FolderError> {
        let embedded = self.embedded()?;
        match self.choice()? {
            Some(choice) if choice.holds_against(embedded.version) => self.version(choice.version),
            _ => Ok(embedded),
        }
    }

    /// The data that the program was built with.
    pub fn embedded(&self) -> Result<CatalogFile, FolderError> {
        CatalogFile::embedded().map_err(|source| FolderError::Catalog {
            path: PathBuf::from("the data that the program was built with"),
            source,
        })
    }

    /// The choice that was made; `None` where none was.
    pub fn choice(&self) -> Result<Option<Choice>, FolderError> {
        let path = self.folder.join(ACTIVE);
        let Some(text) = read_if_there(&path)? else {
            return Ok(None);
        };
        let choice = serde_json::from_str(&text).map_err(CatalogError::from);
        choice
            .map(Some)
            .map_err(|source| FolderError::Catalog { path, source })
    }

    /// Data that was applied here once, or that the program was built with.
    pub fn version(&self, version: u64) -> Result<CatalogFile, FolderError> {
        let path = self.path_of(version);
        match read_if_there(&path)? {
            Some(text) => {
                CatalogFile::parse(&text).map_err(|source| FolderError::Catalog { path, source })
            }
            None => match self.embedded()? {
                embedded if embedded.version == version => Ok(embedded),
                _ => Err(FolderError::NoVersion(version)),
            },
        }
    }

    /// The versions that were applied here, latest first; not the program's own.
    pub fn versions(&self) -> Result<Vec<u64>, FolderError> {
        let folder = self.folder.join(VERSIONS);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err((folder.as_path(), error).into()),
        };
        let number = |name: &str| name.strip_suffix(".json")?.parse::<u64>().ok();
        let mut versions: Vec<u64> = entries
            .filter_map(|entry| number(entry.ok()?.file_name().to_str()?))
            .collect();
        versions.sort_unstable_by(|one, other| other.cmp(one));
        Ok(versions)
    }

    /// Keeps data as a version and puts it in force. A version never changes: one that is there is an
    /// error.
    pub fn apply(&self, data: &CatalogFile) -> Result<(), FolderError> {
        let path = self.path_of(data.version);
        let text = data.to_text().map_err(|source| FolderError::Catalog {
            path: path.clone(),
            source,
        })?;
        let kept = written_beside(&path, &text)
            .and_then(|file| file.persist_noclobber(&path).map_err(Into::into));
        kept.map_err(|error| (path.as_path(), error))?;
        self.choose(data.version)
    }

    /// Puts a version in force that was applied before, or the program's own.
    pub fn choose(&self, version: u64) -> Result<(), FolderError> {
        let data = self.version(version)?;
        self.load_with(data)?;
        let choice = Choice {
            version,
            embedded: self.embedded()?.version,
        };
        if !self.path_of(version).exists() {
            return self.forget_choice();
        }
        let path = self.folder.join(ACTIVE);
        let text = serde_json::to_string(&choice).map_err(|error| FolderError::Catalog {
            path: path.clone(),
            source: error.into(),
        })?;
        let chosen = written_beside(&path, &format!("{text}\n"))
            .and_then(|file| file.persist(&path).map_err(Into::into));
        chosen.map_err(|error| (path.as_path(), error))?;
        Ok(())
    }

    /// Leaves the program's own version in force, and names none: a program of another version has
    /// not the same one.
    fn forget_choice(&self) -> Result<(), FolderError> {
        let path = self.folder.join(ACTIVE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err((path.as_path(), error).into())
            }
            _ => Ok(()),
        }
    }

    /// The version for data of a day, `YYYY-MM-DD`: after every other that is known here.
    pub fn next_version(&self, day: &str) -> Result<u64, FolderError> {
        let digits: String = day.chars().filter(char::is_ascii_digit).collect();
        let first = digits.parse::<u64>().unwrap_or(0) * 100 + 1;
        let latest = self.versions()?.first().copied().unwrap_or(0);
        Ok(first.max(latest + 1).max(self.embedded()?.version + 1))
    }

    /// The operator's overlay and where it is; `None` where there is none.
    pub fn overlay(&self) -> Result<Option<(PathBuf, CatalogFile)>, FolderError> {
        let (path, is_named) = match &self.overlay {
            Some(path) => (path.clone(), true),
            None => (self.folder.join(OVERLAY), false),
        };
        let Some(text) = read_if_there(&path)? else {
            return match is_named {
                true => Err((path.as_path(), io::ErrorKind::NotFound.into()).into()),
                false => Ok(None),
            };
        };
        match CatalogFile::parse_overlay(&text) {
            Ok(overlay) => Ok(Some((path, overlay))),
            Err(source) => Err(FolderError::Catalog { path, source }),
        }
    }

    /// What the files are now.
    pub fn stamp(&self) -> Stamp {
        let overlay = self.overlay.clone();
        let overlay = overlay.unwrap_or_else(|| self.folder.join(OVERLAY));
        let stamp = |path: PathBuf| {
            let found = fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        Stamp(vec![stamp(self.folder.join(ACTIVE)), stamp(overlay)])
    }

    fn path_of(&self, version: u64) -> PathBuf {
        self.folder.join(VERSIONS).join(format!("{version}.json"))
    }
}

impl Choice {
    /// Whether it is in force in a program that was built with this version.
    pub fn holds_against(self, embedded: u64) -> bool {
        embedded <= self.embedded || embedded < self.version
    }
}

/// Which version is in force.
const ACTIVE: &str = "active.json";
/// Where versions are kept.
const VERSIONS: &str = "versions";
/// The operator's overlay, where the settings name none.
const OVERLAY: &str = "overlay.json";

fn read_if_there(path: &Path) -> Result<Option<String>, FolderError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err((path, error).into()),
    }
}

/// A whole file in the folder of `path`, to be put in its place at once: whoever reads meanwhile sees
/// the old one or the new one, and it is gone if it is not put there.
fn written_beside(path: &Path, text: &str) -> io::Result<NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // It may be the first to make the folder of all data, which is nobody else's.
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}
