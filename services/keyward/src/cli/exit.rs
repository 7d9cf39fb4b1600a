//! How a command ends: with which code, and what is said where it failed.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use keyward_runtime::settings::SettingsError;

use super::typed::hide_arguments;

/// Exit codes, for scripts. Released ones never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Refused, or failed.
    Failed = 1,
    /// The command line makes no sense; the parser of arguments ends with the same.
    Usage = 2,
    /// A setting is unknown or wrong.
    Settings = 3,
    /// The gateway does not answer.
    Unreachable = 4,
    /// The access key is missing, wrong, or not allowed to do this.
    Access = 5,
    /// Some of several things were done, and some were not.
    Partly = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What commands return.
pub(crate) type Outcome = Result<Exit, Failure>;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever read the output has stopped reading, which is no fault.
    NobodyReads,
    /// What went wrong, and where there is one, what to do next.
    Error {
        /// The code to end with.
        exit: Exit,
        /// What went wrong, with its causes.
        error: anyhow::Error,
        /// What to do next.
        hint: Option<String>,
    },
}

impl Failure {
    /// A failure of this kind.
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self::of(exit, anyhow::anyhow!("{message}"))
    }

    /// Something that is refused, or did not work.
    pub(crate) fn refused(message: impl fmt::Display) -> Self {
        Self::new(Exit::Failed, message)
    }

    /// Arguments that do not go together.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A failure of this kind, with its causes.
    pub(crate) fn of(exit: Exit, error: anyhow::Error) -> Self {
        let hint = None;
        Self::Error { exit, error, hint }
    }

    /// The same with what to do next: a sentence, or several lines.
    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Error { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    /// Says on standard error what went wrong, and gives the code to end with.
    pub(super) fn told(&self) -> Exit {
        let Self::Error { exit, error, hint } = self else {
            return Exit::Done;
        };
        let mut text = format!("keyward: {error:#}\n");
        for line in hint.iter().flat_map(|hint| hint.lines()) {
            text.extend(["  ", line, "\n"]);
        }
        // It may repeat what was typed, and people put keys where names of files belong. Where nobody
        // reads it, the code still says it.
        let text = hide_arguments(&text, std::env::args_os());
        let _ = write!(io::stderr().lock(), "{text}");
        *exit
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let exit = match error.downcast_ref::<SettingsError>() {
            Some(_) => Exit::Settings,
            None => Exit::Failed,
        };
        Self::of(exit, error)
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::of(Exit::Settings, error.into())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::of(Exit::Failed, error.into())
    }
}
