//! Where output goes: data on standard output, as a table for people or as JSON for programs;
//! messages and progress on standard error. Colours only on a terminal, and not with `NO_COLOR`.

use std::fmt;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use serde_json::Value;

use super::exit::{Exit, Failure, Outcome};
use super::table::Table;

/// Where output goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    colour: bool,
}

impl Output {
    pub(super) fn new(json: bool, no_colour: bool) -> Self {
        let colour = !no_colour && io::stdout().is_terminal();
        Self { json, colour }
    }

    /// Whether JSON was asked for.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Shows data: as it is where JSON was asked for, else as the table that `table` makes of it.
    pub(crate) fn show(self, data: &Value, table: impl FnOnce(&Value) -> Table) -> Outcome {
        match self.json {
            true => self.line(format_args!("{data:#}")),
            false => self.text(table(data).render(self.colour)),
        }
    }

    /// Writes a line of data.
    pub(crate) fn line(self, line: impl fmt::Display) -> Outcome {
        self.text(format_args!("{line}\n"))
    }

    /// Writes data as it is.
    #[allow(
        clippy::unused_self,
        reason = "an `Output` in hand is what allows writing"
    )]
    pub(crate) fn text(self, text: impl fmt::Display) -> Outcome {
        let mut stdout = io::stdout().lock();
        let written = write!(stdout, "{text}").and_then(|()| stdout.flush());
        written.map_err(unwritten)?;
        Ok(Exit::Done)
    }

    /// Says something that is no data: what was done, what comes next, how far it is.
    #[allow(
        clippy::unused_self,
        reason = "an `Output` in hand is what allows writing"
    )]
    pub(crate) fn note(self, text: impl fmt::Display) {
        // Who does not read messages still gets the data and the exit code.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// What it means that standard output took nothing.
pub(super) fn unwritten(error: io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Failure::NobodyReads,
        _ => Failure::of(
            Exit::Failed,
            anyhow::Error::new(error).context("cannot write to standard output"),
        ),
    }
}
