//! `keyward completions`: a script by which a shell completes commands and options.

use clap::Args;
use clap_complete::Shell;

use super::context::Context;
use super::exit::Outcome;
use super::help;

/// Which shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward completions bash > ~/.local/share/bash-completion/completions/keyward
  keyward completions zsh > ~/.zfunc/_keyward
  keyward completions fish > ~/.config/fish/completions/keyward.fish")]
pub(super) struct Arguments {
    /// The shell to complete in.
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut help::command(),
        "keyward",
        &mut script,
    );
    context.output.text(String::from_utf8_lossy(&script))
}
