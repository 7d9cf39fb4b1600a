//! `keyward cache purge`: takes stored answers away.

use clap::{Args, Subcommand};

use super::client::Request;
use super::context::Context;
use super::exit::Outcome;
use super::view;

/// What is to be done with stored answers.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward cache purge --tag team=search
  keyward cache purge

Only answers of the account that you act for are touched.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Take stored answers away: those of requests with a tag, or all
    Purge {
        /// Of requests with this tag, as team=search, or any of that name, as team
        #[arg(long)]
        tag: Option<String>,
    },
}

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    let Action::Purge { tag } = arguments.action;
    let request = Request::delete(&["cache"]).query("tag", tag.as_deref());
    let answer = context.client()?.send(&request)?;
    context.output.show(&answer, view::resource)
}
