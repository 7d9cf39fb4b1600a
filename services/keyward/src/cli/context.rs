//! What every command is given: the environment, the options that all share, and where output goes.

use keyward_runtime::settings::{Environment, Settings, SettingsError};

use super::Options;
use super::output::Output;

/// What every command is given.
#[derive(Debug)]
pub(crate) struct Context {
    /// The environment, and the settings file that was named.
    pub(crate) environment: Environment,
    /// Where the command's data and messages go.
    pub(crate) output: Output,
}

impl Context {
    pub(super) fn new(options: Options) -> Self {
        let environment = Environment::of_process(options.config);
        let no_colour = environment
            .get("NO_COLOR")
            .is_some_and(|value| !value.is_empty());
        Self {
            output: Output::new(options.json, no_colour),
            environment,
        }
    }

    /// The settings of the gateway, for the commands that run in its place or beside it.
    pub(crate) fn settings(&self) -> Result<Settings, SettingsError> {
        Settings::load(&self.environment)
    }
}
