//! `keyward usage spool`: what a router has not told metering yet. Reads the file itself, beside a running
//! router or without one; `replay` does a router's work on a file that one left behind.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use keyward_router::spool::{Refused, Replayed, Report, Waiting, replay, report};
use keyward_runtime::serve::Process;
use keyward_runtime::time;
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::view::{self, Column, Kind};
use crate::{compose, configs};

/// What is asked about the spool; what waits where nothing is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward usage spool                          of the router with these settings; `data_dir` says where
  keyward usage spool --json
  keyward usage spool replay /mnt/spool.db     a file that a lost router has left

`replay` is a router to metering: it needs the settings of `keyward serve --role router`, and `data_dir`
with the peer token where there are no certificates. Exit 0: all told; 6: some were refused or are left.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Tell metering what lies in a spool that no router has open, and take it out
    Replay {
        /// The file
        path: PathBuf,
    },
}

const WAITING: &[Column] = &[
    Column("kind", "kind", Kind::Text),
    Column("events", "count", Kind::Number),
];

const REFUSED: &[Column] = &[
    Column("refused", "time", Kind::Text),
    Column("kind", "kind", Kind::Text),
    Column("event", "event_id", Kind::Text),
    Column("request", "request_id", Kind::Text),
    Column("reason", "reason", Kind::Text),
];

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    match arguments.action {
        None => show(context),
        Some(Action::Replay { path }) => run_replay(&path, context),
    }
}

fn show(context: &Context) -> Outcome {
    let path = configs::spool(&context.settings()?);
    let report = report(&path).ok_or_else(|| {
        Failure::refused(format!("there is no spool at {}", path.display()))
            .hint("A router makes one in its `data_dir`.")
    })?;
    let report = report.with_context(|| format!("{} cannot be read", path.display()))?;
    let data = to_json(&report);
    context.output.show(&data, |data| {
        view::list(
            data,
            "waiting",
            WAITING,
            "Metering has been told everything.",
        )
    })?;
    if context.output.is_json() {
        return Ok(Exit::Done);
    }
    let oldest = report.oldest.map(time::to_text);
    if let Some(oldest) = oldest {
        context.output.note(format!("The oldest is of {oldest}."));
    }
    if report.intents > 0 {
        context.output.note(format!(
            "{} attempts are in flight, or were left behind.",
            report.intents
        ));
    }
    if report.quarantined == 0 {
        return Ok(Exit::Done);
    }
    context.output.note(format!(
        "{} events were refused by metering for good:",
        report.quarantined
    ));
    context
        .output
        .show(&data, |data| view::list(data, "quarantine", REFUSED, ""))
}

fn to_json(report: &Report) -> Value {
    let waiting = |Waiting { kind, count }: &Waiting| json!({"kind": kind, "count": count});
    let refused = |refused: &Refused| {
        json!({
            "kind": refused.kind,
            "event_id": refused.event_id,
            "request_id": refused.request_id,
            "time": time::to_text(refused.time),
            "reason": refused.reason,
        })
    };
    json!({
        "waiting": report.waiting.iter().map(waiting).collect::<Vec<_>>(),
        "oldest": report.oldest.map(time::to_text),
        "in_flight": report.intents,
        "quarantined": report.quarantined,
        "quarantine": report.refused.iter().map(refused).collect::<Vec<_>>(),
        "bytes": report.bytes,
    })
}

fn run_replay(path: &Path, context: &Context) -> Outcome {
    if !path.exists() {
        return Err(Failure::refused(format!(
            "there is no file {}",
            path.display()
        )));
    }
    let settings = context.settings()?;
    // It fails only if there is a provider of cryptography already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let process = Process::new();
    let replayed = runtime.block_on(async {
        let metering = compose::metering_of_a_router(&settings, &process)?;
        let replayed = replay(path, metering).await;
        replayed.with_context(|| format!("{} cannot be replayed", path.display()))
    })?;
    let Replayed {
        delivered,
        recovered,
        refused,
        left,
    } = replayed;
    let data = json!({
        "delivered": delivered,
        "recovered": recovered,
        "refused": refused,
        "left": left,
    });
    context.output.show(&data, view::resource)?;
    match (left, refused) {
        (0, 0) => Ok(Exit::Done),
        (0, _) => Ok(Exit::Partly),
        (_, _) if delivered + refused == 0 => Err(Failure::new(
            Exit::Unreachable,
            "metering could not be told; what is in the file stays there",
        )),
        (_, _) => Ok(Exit::Partly),
    }
}
