//! What every command is given: the environment, the options that all share, and where output goes.

use keyward_runtime::hardening::Hardening;
use keyward_runtime::settings::{Environment, Settings, SettingsError};
use serde_json::{Value, json};

use super::arguments::Removal;
use super::client::{Client, Request};
use super::exit::{Exit, Failure, Outcome};
use super::output::Output;
use super::{Options, ask, connection, view};

/// What every command is given.
#[derive(Debug)]
pub(crate) struct Context {
    /// The environment, and the settings file that was named.
    pub(crate) environment: Environment,
    /// Where the command's data and messages go.
    pub(crate) output: Output,
    pub(super) options: Options,
    /// What the kernel keeps others from seeing of this process.
    pub(super) hardening: Hardening,
}

impl Context {
    pub(super) fn new(mut options: Options, hardening: Hardening) -> Self {
        let environment = Environment::of_process(options.config.take());
        let no_colour = environment
            .get("NO_COLOR")
            .is_some_and(|value| !value.is_empty());
        Self {
            output: Output::new(options.json, no_colour),
            environment,
            options,
            hardening,
        }
    }

    /// The settings of the gateway, for the commands that run in its place or beside it.
    pub(crate) fn settings(&self) -> Result<Settings, SettingsError> {
        Settings::load(&self.environment)
    }

    /// A caller of the management API.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        connection::client(&self.options, &self.environment, self.output)
    }

    /// Sends a change, and gives what is answered; in a dry run shows it instead, and gives nothing.
    pub(super) fn change(
        &self,
        client: &Client,
        request: &Request,
        dry_run: bool,
    ) -> Result<Option<Value>, Failure> {
        if !dry_run {
            return client.send(request).map(Some);
        }
        let data = json!({
            "dry_run": true,
            "method": request.method().as_str(),
            "path": request.path(),
            "body": request.shown_body(),
        });
        self.output.show(&data, view::resource)?;
        self.output
            .note("This is what would be sent. Nothing was changed.");
        Ok(None)
    }

    /// Sends a change and shows what is answered, then says what comes next.
    pub(super) fn show_change(
        &self,
        client: &Client,
        request: &Request,
        dry_run: bool,
        next: impl FnOnce(&Value) -> String,
    ) -> Outcome {
        let Some(answer) = self.change(client, request, dry_run)? else {
            return Ok(Exit::Done);
        };
        self.output.show(&answer, view::resource)?;
        self.output.note(next(&answer));
        self.note_laggards(client);
        Ok(Exit::Done)
    }

    /// Takes something away, after asking; `what` says what will happen.
    pub(super) fn remove(
        &self,
        client: &Client,
        request: &Request,
        removal: Removal,
        what: &str,
        done: &str,
    ) -> Outcome {
        ask::confirm(self, removal, what)?;
        if self.change(client, request, removal.dry_run)?.is_none() {
            return Ok(Exit::Done);
        }
        if self.output.is_json() {
            self.output
                .line(format_args!("{:#}", json!({"done": true})))?;
        }
        self.output.note(done);
        self.note_laggards(client);
        Ok(Exit::Done)
    }

    /// Says so where a router may still do what the change has ended.
    fn note_laggards(&self, client: &Client) {
        let routers = match client.laggards() {
            0 => return,
            1 => "1 router has".to_owned(),
            count => format!("{count} routers have"),
        };
        self.output.note(format!(
            "{routers} not confirmed this yet, and will stop within `vault.revocation_bound` (1 s, if \
             not set otherwise)."
        ));
    }
}
