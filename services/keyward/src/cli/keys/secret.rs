//! Where a secret comes from: a question at the terminal, a file, standard input, a variable. Never
//! an argument, which others could see, and which shells remember.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use clap::Args;
use keyward_secret::Secret;
use zeroize::Zeroizing;

use crate::cli::context::Context;
use crate::cli::exit::Failure;

/// More than any key has: whoever names a wrong file is told so, and nothing of it is sent.
const SECRET_BYTES_MAX: u64 = 16 << 10;

/// Where a secret comes from.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// `-` to read the key from standard input; without it you are asked
    #[arg(value_name = "-", hide_possible_values = true)]
    place: Option<Place>,
    /// Read the key from a file; `-` for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key_env", "place"])]
    key_file: Option<PathBuf>,
    /// Take the key from an environment variable
    #[arg(long, value_name = "NAME", conflicts_with = "place")]
    key_env: Option<String>,
}

/// What stands in the place of a key among the arguments. It might be one, and is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `-`.
    StandardInput,
    /// Anything else.
    Argument,
}

impl FromStr for Place {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "-" => Self::StandardInput,
            _ => Self::Argument,
        })
    }
}

/// How a key can be given.
const WAYS: &str = "\
Give it at the prompt (no argument), by `--key-file FILE`, by `--key-env NAME`,
or on standard input with `-`.";

impl Source {
    /// Reads the secret, with the white space around it taken off.
    pub(super) fn read(&self, provider: &str, context: &Context) -> Result<Secret, Failure> {
        let secret = match (self.place, &self.key_file, &self.key_env) {
            (Some(Place::Argument), _, _) => {
                let message = "a key cannot be an argument: others could see it there";
                return Err(Failure::usage(message).hint(format!(
                    "If that was your key, your shell may have kept it in its history.\n{WAYS}"
                )));
            }
            (Some(Place::StandardInput), _, _) => read(io::stdin().lock())?,
            (None, Some(path), _) => from_file(path)?,
            (None, None, Some(name)) => variable(name, context)?,
            (None, None, None) => ask(provider)?,
        };
        let secret = Secret::new(secret.expose().trim());
        match secret.is_empty() {
            true => Err(Failure::refused("the key is empty").hint(WAYS)),
            false => Ok(secret),
        }
    }
}

/// Reads a secret from a file; `-` is standard input.
pub(super) fn from_file(path: &Path) -> anyhow::Result<Secret> {
    if path == Path::new("-") {
        return read(io::stdin().lock());
    }
    let told = || format!("cannot read the key from {}", path.display());
    read(File::open(path).with_context(told)?).with_context(told)
}

fn read(from: impl Read) -> anyhow::Result<Secret> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    anyhow::ensure!(
        bytes.len() as u64 <= SECRET_BYTES_MAX,
        "that is too long for a key"
    );
    let text = std::str::from_utf8(&bytes).context("the key is no text")?;
    Ok(Secret::new(text))
}

fn variable(name: &str, context: &Context) -> Result<Secret, Failure> {
    match context.environment.get(name) {
        Some(value) => Ok(Secret::new(value)),
        // The name is not repeated: some give the key itself in its place.
        None => Err(
            Failure::refused("the variable that `--key-env` names is not set")
                .hint("It takes the variable's name, such as `--key-env OPENAI_API_KEY`."),
        ),
    }
}

fn ask(provider: &str) -> Result<Secret, Failure> {
    if !io::stdin().is_terminal() {
        return Err(
            Failure::usage("no key was given, and there is no terminal to ask at").hint(WAYS),
        );
    }
    let prompt = format!("Key of {provider} (it is not shown): ");
    let key = rpassword::prompt_password(prompt).context("cannot read the key")?;
    Ok(Secret::new(key))
}
