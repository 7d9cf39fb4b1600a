//! `keyward keys import --fernet`: many Fernet tokens. Each row is sent under a name of its own that
//! follows from what is in it, so a run that was cut short, or is made again, changes nothing twice.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ring::digest::{Context as Digest, SHA256};
use serde_json::{Value, json};

use super::Import;
use super::rows::{self, Line, Row};
use crate::cli::client::{Client, Refusal, Request};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::view::{self, Column, Kind};

/// How many requests are under way at once: enough to keep a vault busy that waits for its disk, few
/// enough to leave others their turn.
const AT_ONCE: usize = 8;

/// How often a row is sent to a gateway that is too busy, and how long the first wait is; each
/// further one is twice as long, some twelve seconds in all.
const TRIES: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(100);

const COLUMNS: &[Column] = &[
    Column("line", "line", Kind::Number),
    Column("provider", "provider", Kind::Text),
    Column("label", "label", Kind::Text),
    Column("key", "masked_key", Kind::Text),
    Column("result", "result", Kind::Status),
    Column("id", "id", Kind::Text),
    Column("reason", "reason", Kind::Text),
];

/// What became of a row.
#[derive(Debug)]
enum Taken {
    Added(Value),
    AlreadyThere(Value),
    WouldBeAdded(Value),
    Refused(String),
    NotTried,
}

impl Taken {
    fn name(&self) -> &'static str {
        match self {
            Self::Added(_) => "added",
            Self::AlreadyThere(_) => "already_there",
            Self::WouldBeAdded(_) => "would_be_added",
            Self::Refused(_) => "refused",
            Self::NotTried => "not_tried",
        }
    }

    fn is_good(&self) -> bool {
        !matches!(self, Self::Refused(_) | Self::NotTried)
    }

    fn row(&self, line: &Line) -> Value {
        let (key, reason) = match self {
            Self::Added(key) | Self::AlreadyThere(key) | Self::WouldBeAdded(key) => (key, None),
            Self::Refused(reason) => (&Value::Null, Some(reason)),
            Self::NotTried => (&Value::Null, None),
        };
        let said = |name| line.row.as_ref().map_or(Value::Null, |row| row.shown(name));
        let id = key["id"].as_str().filter(|id| !id.is_empty());
        json!({
            "line": line.number,
            "provider": said("provider"),
            "label": said("label"),
            "masked_key": key["masked_key"],
            "result": self.name(),
            "id": id,
            "reason": reason,
        })
    }
}

pub(super) fn run(file: &Path, import: &Import, context: &Context) -> Outcome {
    let lines = rows::read(file)?;
    if lines.is_empty() {
        return Err(Failure::refused(format!(
            "there is no token in {}",
            file.display()
        )));
    }
    let client = context.client()?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let send = |row: &Row| take(&client, import, &name, row);
    let taken = take_all(&lines, send)?;
    show(&lines, &taken, import.dry_run, context)
}

fn show(lines: &[Line], taken: &[Taken], dry_run: bool, context: &Context) -> Outcome {
    let rows = taken.iter().zip(lines).map(|(taken, line)| taken.row(line));
    let data = json!({"imported": rows.collect::<Vec<_>>(), "summary": summary(taken)});
    context
        .output
        .show(&data, |data| view::list(data, "imported", COLUMNS, ""))?;
    let counts = data["summary"].as_object().into_iter().flatten();
    let counts: Vec<String> = counts
        .filter(|(_, count)| **count != 0)
        .map(|(name, count)| format!("{count} {}", name.replace('_', " ")))
        .collect();
    let all = taken.len();
    context
        .output
        .note(format_args!("{all} rows: {}.", counts.join(", ")));
    match (taken.iter().all(Taken::is_good), dry_run) {
        (true, true) => context.output.note("Nothing was stored."),
        (true, false) => {}
        (false, _) => {
            let next = "Some rows were not taken over. Mend what is said, and run it again.";
            context.output.note(next);
            return Ok(Exit::Partly);
        }
    }
    Ok(Exit::Done)
}

fn summary(taken: &[Taken]) -> Value {
    let names = [
        "added",
        "already_there",
        "would_be_added",
        "refused",
        "not_tried",
    ];
    let count = |name: &str| taken.iter().filter(|taken| taken.name() == name).count();
    names.iter().map(|name| (*name, count(name))).collect()
}

/// Takes over several at once, in the order of the file. Where the gateway goes away, or refuses the
/// caller, the rest is not tried.
fn take_all(
    lines: &[Line],
    send: impl Fn(&Row) -> Result<Taken, Failure> + Sync,
) -> Result<Vec<Taken>, Failure> {
    let progress = progress(lines.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(line) = lines.get(at) else {
                return (done, None);
            };
            let taken = match &line.row {
                Ok(row) => send(row),
                Err(reason) => Ok(Taken::Refused(reason.clone())),
            };
            match taken {
                Ok(taken) => done.push((at, taken)),
                Err(failure) => {
                    next.store(lines.len(), Ordering::Relaxed);
                    return (done, Some(failure));
                }
            }
            progress.inc(1);
        }
    };
    let ended = thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(thread::ScopedJoinHandle::join);
        ended.collect::<Result<Vec<_>, _>>()
    });
    progress.finish_and_clear();
    let ended = ended.map_err(|_| Failure::refused("a part of this program failed"))?;
    gather(lines.len(), ended)
}

/// What became of a worker's rows, by their place, and what ended it early.
type Ended = (Vec<(usize, Taken)>, Option<Failure>);

/// What became of each row, from what each worker did.
fn gather(rows: usize, ended: Vec<Ended>) -> Result<Vec<Taken>, Failure> {
    let mut all: Vec<Taken> = (0..rows).map(|_| Taken::NotTried).collect();
    let mut failures = Vec::new();
    for (done, failure) in ended {
        for (at, taken) in done {
            all[at] = taken;
        }
        failures.extend(failure);
    }
    let tried = all.iter().any(|taken| !matches!(taken, Taken::NotTried));
    match failures.into_iter().next() {
        // Nothing was done yet: it is a failure like any other.
        Some(failure) if !tried => Err(failure),
        failure => {
            if let Some(failure) = failure {
                failure.told();
            }
            Ok(all)
        }
    }
}

fn take(client: &Client, import: &Import, file: &str, row: &Row) -> Result<Taken, Failure> {
    let request = named(row.add_to(import.request()), file);
    let sent = patiently(|| client.send_once(&request));
    match sent {
        Ok((key, _)) if import.dry_run => Ok(Taken::WouldBeAdded(key)),
        Ok((key, true)) => Ok(Taken::AlreadyThere(key)),
        Ok((key, false)) => Ok(Taken::Added(key)),
        Err(failure) => match Refusal::of(&failure) {
            Some(refusal) if refusal.code == "already_exists" => {
                Ok(Taken::AlreadyThere(Value::Null))
            }
            Some(refusal) if refusal.is_about_this() => Ok(Taken::Refused(refusal.to_string())),
            _ => Err(failure),
        },
    }
}

/// Sends again to a gateway that has too much to do.
fn patiently<T>(send: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES {
        match send() {
            Err(failure) if Refusal::of(&failure).is_some_and(Refusal::is_for_now) => {
                thread::sleep(wait);
                wait *= 2;
            }
            sent => return sent,
        }
    }
    send()
}

/// Under a name that follows from the file's and from all that is sent: the gateway knows by it that
/// it has done this before.
fn named(request: Request, file: &str) -> Request {
    let body = zeroize::Zeroizing::new(request.body().unwrap_or_default());
    let path = request.path();
    let mut digest = Digest::new(&SHA256);
    for part in [file.as_bytes(), path.as_bytes(), &body] {
        digest.update(&part.len().to_be_bytes());
        digest.update(part);
    }
    let digest = digest.finish();
    // Half of it is more than enough to tell rows apart.
    let half = hex::encode(&digest.as_ref()[..16]);
    request.once(["import-", &half].concat())
}

/// How far it is, on a terminal.
fn progress(rows: usize) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} rows, {eta} to go");
    let bar = ProgressBar::new(u64::try_from(rows).unwrap_or(u64::MAX));
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
