//! Why settings were refused.

use std::path::PathBuf;

use super::sources::Gathered;

/// A setting that stops the start.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The settings file cannot be read.
    #[error("cannot read the settings file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The settings file is not TOML.
    #[error("the settings file {} is not valid TOML: {message}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What and where, without the line itself: it may hold a secret.
        message: String,
    },
    /// A setting is unknown, of the wrong type, or out of range.
    #[error("setting `{name}` ({origin}): {message}")]
    Invalid {
        /// Its name, `section.field`.
        name: String,
        /// The file or the variable that set it.
        origin: String,
        /// What is wrong and what was expected.
        message: String,
    },
    /// A setting that this version does not have yet.
    #[error("setting `{name}` ({origin}) is not available in this version yet")]
    NotYet {
        /// Its name.
        name: &'static str,
        /// The file or the variable that set it.
        origin: String,
    },
    /// A secret's file cannot be read.
    #[error("setting `{name}` ({origin}): cannot read {}", path.display())]
    SecretFile {
        /// The setting.
        name: String,
        /// The file or the variable that set it.
        origin: String,
        /// The secret's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl SettingsError {
    /// The same with the place where the setting was given, which checks of single values do not
    /// know.
    pub(super) fn placed(mut self, gathered: &Gathered) -> Self {
        match &mut self {
            Self::Invalid { name, origin, .. } => *origin = gathered.origin(name),
            Self::NotYet { name, origin } => *origin = gathered.origin(name),
            Self::File { .. } | Self::Toml { .. } | Self::SecretFile { .. } => {}
        }
        self
    }
}
