//! Questions to whoever sits at the terminal, asked on standard error.

use std::io::{self, IsTerminal as _, Write as _};

use super::arguments::Removal;
use super::context::Context;
use super::exit::{Exit, Failure};

/// Says what will happen, and lets it happen only if that is wanted.
pub(super) fn confirm(context: &Context, removal: Removal, what: &str) -> Result<(), Failure> {
    if removal.yes || removal.dry_run {
        return Ok(());
    }
    go_on(context, what, "this cannot be undone")
}

/// Says what will happen, and asks. `why` is the reason not to do it unasked.
pub(super) fn go_on(context: &Context, what: &str, why: &str) -> Result<(), Failure> {
    context.output.note(what);
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let message = format!("{why}, and there is no terminal to ask at");
        return Err(Failure::refused(message).hint("Say `--yes` if it shall happen."));
    }
    let mut stderr = io::stderr().lock();
    write!(stderr, "Go on? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::new(Exit::Failed, "nothing was changed")),
    }
}
