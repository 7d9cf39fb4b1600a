//! `keyward audit verify` and `export`: the stores themselves are read, beside a running gateway or
//! without one, and nothing is asked of anybody who might lie.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use keyward_metering::inspect::{self, KeyUse};
use keyward_runtime::settings::Settings;
use keyward_vault::audit_log::{self, AuditProof, ProvenChain, Source};
use serde_json::{Value, json};

use super::uses::{Leases, UsesProof};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::output::unwritten;
use crate::configs;

/// The code of a log that could not be checked, which is that of arguments that make no sense.
const NOT_CHECKED: Exit = Exit::Usage;

/// How a log is proven.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Hold every use of a key in metering's store against the leases in the log, too
    #[arg(long)]
    usage: bool,
    #[command(flatten)]
    evidence: Evidence,
}

/// How a log is written out.
#[derive(Debug, Args)]
pub(super) struct Export {
    #[command(flatten)]
    evidence: Evidence,
}

/// What a log is held against.
#[derive(Debug, Args)]
struct Evidence {
    /// Where the signed checkpoints are; `vault.audit.checkpoint_dir` by default
    #[arg(long, value_name = "DIR")]
    checkpoints: Option<PathBuf>,
    /// A file with the public key that signed them; `audit.pub` beside them by default
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
}

impl Evidence {
    fn source(&self, settings: &Settings) -> anyhow::Result<Source> {
        let public_keys = match &self.public_key {
            Some(file) => read_keys(file)?,
            None => Vec::new(),
        };
        let checkpoints = self.checkpoints.clone();
        Ok(Source {
            data_dir: settings.data_dir.clone(),
            postgres: configs::vault_postgres(settings)?,
            checkpoints: checkpoints.unwrap_or_else(|| settings.vault.audit_checkpoint_dir.clone()),
            public_keys,
        })
    }
}

fn read_keys(file: &Path) -> anyhow::Result<Vec<[u8; 32]>> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read the public key in {}", file.display()))?;
    let key = |line: &str| {
        let bytes = STANDARD.decode(line.trim()).ok();
        bytes.and_then(|bytes| bytes.try_into().ok())
    };
    let keys: Option<Vec<[u8; 32]>> = text.lines().map(key).collect();
    keys.filter(|keys| !keys.is_empty())
        .with_context(|| format!("{} holds no public key in base64", file.display()))
}

/// Proves the log, and shows what was found.
pub(super) fn verify(arguments: &Verify, context: &Context) -> Outcome {
    let (proof, uses) = prove(arguments, context)
        .map_err(|error| Failure::of(NOT_CHECKED, error.context("the log could not be checked")))?;
    let faults = faults(&proof, uses.as_ref());
    match context.output.is_json() {
        true => context.output.line(format_args!(
            "{:#}",
            to_json(&proof, uses.as_ref(), &faults)
        ))?,
        false => context
            .output
            .text(to_text(&proof, uses.as_ref(), &faults))?,
    };
    match faults.is_empty() {
        true => Ok(Exit::Done),
        false => Ok(Exit::Failed),
    }
}

fn prove(arguments: &Verify, context: &Context) -> anyhow::Result<(AuditProof, Option<UsesProof>)> {
    let settings = context.settings()?;
    let source = arguments.evidence.source(&settings)?;
    let mut leases = Leases::default();
    // Uses first: what is recorded later than they were read has its lease in the log already.
    let mut uses = Vec::new();
    if arguments.usage {
        gather_uses(&settings, |key_use| uses.push(key_use))?;
    }
    let proof = block_on(audit_log::verify(&source, |_, linked| {
        if arguments.usage {
            leases.add(&linked.event);
        }
    }))?;
    let uses = arguments.usage.then(|| leases.match_with(&uses));
    Ok((proof, uses))
}

fn gather_uses(settings: &Settings, each: impl FnMut(KeyUse)) -> anyhow::Result<()> {
    let config = configs::metering(settings)?;
    match &config.postgres {
        Some(url) => block_on(inspect::key_uses_in_postgres(url, each))
            .with_context(|| format!("metering's store, {url}")),
        None => inspect::key_uses(&config.database, each)
            .with_context(|| format!("metering's store, {}", config.database.display())),
    }
}

fn block_on<T, E: std::error::Error + Send + Sync + 'static>(
    reading: impl Future<Output = Result<T, E>>,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(reading)?)
}

fn faults(proof: &AuditProof, uses: Option<&UsesProof>) -> Vec<String> {
    let of_log = proof.faults.iter().map(ToString::to_string);
    let of_uses = uses
        .into_iter()
        .flat_map(|uses| uses.faults.iter().cloned());
    of_log.chain(of_uses).collect()
}

fn to_json(proof: &AuditProof, uses: Option<&UsesProof>, faults: &[String]) -> Value {
    let chain = |chain: &ProvenChain| {
        json!({
            "instance": chain.instance,
            "events": chain.head.sequence,
            "head_hash": chain.head.hash.to_string(),
            "signed_events": chain.signed,
        })
    };
    let usage = uses.map(|uses| json!({"matched": uses.matched, "leases_unused": uses.unused}));
    json!({
        "proven": faults.is_empty(),
        "chains": proof.chains.iter().map(chain).collect::<Vec<_>>(),
        "checkpoints": proof.checkpoints,
        "unlinked_events": proof.unlinked,
        "usage": usage,
        "faults": faults,
    })
}

fn to_text(proof: &AuditProof, uses: Option<&UsesProof>, faults: &[String]) -> String {
    let mut text = String::new();
    // Writing to a text cannot fail.
    for chain in &proof.chains {
        let head = chain.head;
        let _ = writeln!(
            text,
            "{}: {} events, head {}; {}",
            chain.instance,
            head.sequence,
            head.hash,
            vouched(chain)
        );
    }
    let _ = writeln!(text, "{} checkpoints agree", proof.checkpoints);
    if proof.unlinked > 0 {
        let _ = writeln!(
            text,
            "{} events have no place yet: the next start, or the running gateway, gives them one",
            proof.unlinked
        );
    }
    if let Some(uses) = uses {
        let _ = writeln!(
            text,
            "{} uses of keys lie within a lease in the log; {} leases were not used",
            uses.matched, uses.unused
        );
    }
    for fault in faults {
        let _ = writeln!(text, "BROKEN: {fault}");
    }
    if faults.is_empty() {
        text.push_str("The log is whole.\n");
    }
    text
}

/// What of a chain nobody can have cut off unseen.
fn vouched(chain: &ProvenChain) -> String {
    match chain.signed {
        0 => "nothing signed vouches for any of them".to_owned(),
        all if all >= chain.head.sequence => "all signed for".to_owned(),
        some => format!("signed for up to event {some}, nothing vouches for those after it"),
    }
}

/// Prints the events of all chains as they are hashed.
pub(super) fn export(arguments: &Export, context: &Context) -> Outcome {
    let settings = context.settings()?;
    let source = arguments.evidence.source(&settings)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut written = Ok(());
    let proof = block_on(audit_log::verify(&source, |instance, linked| {
        if written.is_ok() {
            written = out.write_all(audit_log::to_line(instance, linked).as_bytes());
        }
    }));
    written.and_then(|()| out.flush()).map_err(unwritten)?;
    let proof = proof.map_err(|error| Failure::of(NOT_CHECKED, error))?;
    for fault in faults(&proof, None) {
        context.output.note(format_args!("BROKEN: {fault}"));
    }
    match proof.is_proven() {
        true => Ok(Exit::Done),
        false => Ok(Exit::Failed),
    }
}
