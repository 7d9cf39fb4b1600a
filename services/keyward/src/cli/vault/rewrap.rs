//! `keyward vault keks rewrap`: request after request until nothing remains, with how far it is.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::cli::client::{Client, Request};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::view;

/// How many data keys a request rewraps: few enough that the bar moves.
const STEP: u64 = 2_000;

pub(super) fn run(client: &Client, context: &Context) -> Outcome {
    let bar = bar();
    let mut done = 0;
    loop {
        let request = Request::post(&["vault", "rewrap"]).member("limit", Some(STEP));
        let answer = client.send(&request).inspect_err(|_| bar.abandon())?;
        let count = |member: &str| answer[member].as_u64().unwrap_or_default();
        done += count("rewrapped");
        bar.set_length(done + count("remaining"));
        bar.set_position(done);
        // What does not open remains however often it is tried.
        if count("rewrapped") == 0 || count("remaining") == 0 {
            bar.finish_and_clear();
            return finished(context, done, &answer);
        }
    }
}

fn finished(context: &Context, done: u64, last: &Value) -> Outcome {
    let (remaining, failed) = (&last["remaining"], &last["failed"]);
    let answer = json!({ "rewrapped": done, "remaining": remaining, "failed": failed });
    context.output.show(&answer, view::resource)?;
    match remaining.as_u64() {
        Some(0) => {
            context
                .output
                .note("The active master key wraps every data key. Next: `keyward vault keks list`.");
            Ok(Exit::Done)
        }
        _ => Err(Failure::new(
            Exit::Failed,
            "some data keys do not open and were left as they are",
        )
        .hint("The vault's log names their owners; `keyward doctor` says whether a master key is missing.")),
    }
}

/// Only on a terminal: elsewhere it would be noise.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len} data keys, {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}
