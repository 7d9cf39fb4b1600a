//! `keyward usage verify`: metering's store itself is read, beside a running gateway or without one.

use anyhow::Context as _;
use keyward_metering::inspect::{self, BooksProof};
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::configs;

/// The code of books that could not be checked, which is that of arguments that make no sense.
const NOT_CHECKED: Exit = Exit::Usage;

/// Proves the books, and shows what was found.
pub(super) fn verify(context: &Context) -> Outcome {
    let proof = prove(context).map_err(|error| {
        Failure::of(NOT_CHECKED, error.context("the books could not be checked"))
    })?;
    let proven = proof.faults.is_empty();
    if context.output.is_json() {
        context.output.line(format_args!(
            "{:#}",
            json!({"proven": proven, "records": proof.records, "faults": proof.faults})
        ))?;
    } else {
        context.output.text(to_text(&proof))?;
    }
    Ok(if proven { Exit::Done } else { Exit::Failed })
}

fn prove(context: &Context) -> anyhow::Result<BooksProof> {
    let settings = context.settings()?;
    let config = configs::metering(&settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    match &config.postgres {
        Some(url) => runtime
            .block_on(inspect::prove_in_postgres(url))
            .with_context(|| format!("metering's store, {url}")),
        None => runtime
            .block_on(inspect::prove(&config.database))
            .with_context(|| format!("metering's store, {}", config.database.display())),
    }
}

fn to_text(proof: &BooksProof) -> String {
    let mut lines = vec![format!("{} records were priced anew", proof.records)];
    let faults = proof.faults.iter().map(|fault| format!("BROKEN: {fault}"));
    lines.extend(faults);
    if proof.faults.is_empty() {
        lines.push("The books add up.".to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}
