//! `keyward keys import`: provider keys that are kept elsewhere are taken over, and none is shown.

mod bulk;
mod env;
mod rows;
mod token;

use std::path::PathBuf;

use clap::Args;

use super::owner::KeyOwner;
use crate::cli::client::Request;
use crate::cli::context::Context;
use crate::cli::exit::{Failure, Outcome};

/// What to take over, and for whom.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward keys import --env .env --dry-run    what would be taken over
  keyward keys import --env .env
  keyward keys import --env .env --owner organization --organization acme
  keyward keys import --fernet keys.csv --dry-run
  keyward keys import --fernet keys.csv       a token a line, as docs/migration.md says
  keyward keys import --fernet-token - --provider openai < token

Run again, it adds only what is not there yet.")]
pub(super) struct Import {
    #[command(flatten)]
    from: From,
    #[command(flatten)]
    owner: KeyOwner,
    #[command(flatten)]
    details: token::Details,
    /// Read Fernet tokens as Python does, which passes over what is no base64
    #[arg(long, conflicts_with = "env")]
    lenient: bool,
    /// Change nothing: show what would be sent, or what the gateway would make of each token
    #[arg(long)]
    dry_run: bool,
}

/// Where keys are.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct From {
    /// A file such as `.env`
    #[arg(long, value_name = "FILE")]
    env: Option<PathBuf>,
    /// A file of Fernet tokens: CSV with the names of its columns in line 1, or JSON lines
    #[arg(long, value_name = "FILE")]
    fernet: Option<PathBuf>,
    /// A file with one Fernet token; `-` for standard input
    #[arg(long, value_name = "FILE", requires = "provider")]
    fernet_token: Option<PathBuf>,
}

impl Import {
    /// A request to take a token over, without what it is about.
    fn request(&self) -> Request {
        let request = Request::post(&["provider-keys", "import"])
            .member("lenient", self.lenient.then_some(true))
            .member("validate_only", self.dry_run.then_some(true));
        self.owner.query(request)
    }
}

pub(super) fn run(import: &Import, context: &Context) -> Outcome {
    let From {
        env,
        fernet,
        fernet_token,
    } = &import.from;
    match (env, fernet, fernet_token) {
        (Some(file), _, _) => env::run(file, import, context),
        (_, Some(file), _) => bulk::run(file, import, context),
        (_, _, Some(file)) => token::run(file, import, context),
        (None, None, None) => Err(Failure::usage("nothing to import from was named")),
    }
}
