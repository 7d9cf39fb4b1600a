//! The file beside the store: lines appended by a thread of its own, so that a disk that hangs holds
//! up nobody for longer than is waited for it. Signed checkpoints are written by the same thread.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::domain::audit::body::{Line, from_line};

/// How long a sink is waited for: two of them within the second in which a refusal must be known.
pub(super) const SINK_WAIT: Duration = Duration::from_millis(450);

/// How much of the file's end is read at first; more where that does not reach back far enough.
const TAIL_BYTES: u64 = 1 << 20;

struct Job {
    path: Arc<Path>,
    text: String,
    durable: bool,
    done: oneshot::Sender<io::Result<()>>,
}

/// Appends to the files of one folder.
#[derive(Debug, Clone)]
pub(super) struct FileSink {
    jobs: SyncSender<Job>,
    /// Whether something is being written; what comes meanwhile is turned away.
    busy: Arc<AtomicBool>,
    events: Arc<Path>,
    checkpoints: Arc<Path>,
}

/// The file of an instance's events.
pub(super) fn events_path(folder: &Path, instance: &str) -> PathBuf {
    folder.join(format!("audit-{instance}.jsonl"))
}

/// The file of an instance's checkpoints.
pub(super) fn checkpoints_path(folder: &Path, instance: &str) -> PathBuf {
    folder.join(format!("audit-{instance}.checkpoints"))
}

impl FileSink {
    /// Starts the thread, which ends with the last clone.
    pub(super) fn start(folder: &Path, instance: &str) -> io::Result<Self> {
        // One piece of work at a time: whoever finds it busy does without.
        let (jobs, queue) = sync_channel(1);
        let busy = Arc::new(AtomicBool::new(false));
        let free = Arc::clone(&busy);
        std::thread::Builder::new()
            .name("audit-file".to_owned())
            .spawn(move || write_all(&queue, &free))?;
        Ok(Self {
            jobs,
            busy,
            events: events_path(folder, instance).into(),
            checkpoints: checkpoints_path(folder, instance).into(),
        })
    }

    /// Appends lines; with `durable` they are on disk when this returns.
    pub(super) async fn append(&self, lines: String, durable: bool) -> io::Result<()> {
        self.write(&self.events, lines, durable).await
    }

    /// Appends a signed note, durably.
    pub(super) async fn checkpoint(&self, note: String) -> io::Result<()> {
        self.write(&self.checkpoints, note, true).await
    }

    async fn write(&self, path: &Arc<Path>, text: String, durable: bool) -> io::Result<()> {
        if self.busy.swap(true, Ordering::AcqRel) {
            return Err(io::Error::from(io::ErrorKind::ResourceBusy));
        }
        let (done, answer) = oneshot::channel();
        let job = Job {
            path: Arc::clone(path),
            text,
            durable,
            done,
        };
        if self.jobs.try_send(job).is_err() {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        match tokio::time::timeout(SINK_WAIT, answer).await {
            Ok(Ok(written)) => written,
            Ok(Err(_)) => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
        }
    }
}

fn write_all(queue: &Receiver<Job>, busy: &AtomicBool) {
    let mut open: Option<(Arc<Path>, File)> = None;
    while let Ok(job) = queue.recv() {
        let written = write(&mut open, &job);
        if written.is_err() {
            // Opened anew next time: what was in the way may be gone by then.
            open = None;
        }
        busy.store(false, Ordering::Release);
        // Whoever waited may have given up.
        let _ = job.done.send(written);
    }
}

fn write(open: &mut Option<(Arc<Path>, File)>, job: &Job) -> io::Result<()> {
    let file = match open.take() {
        Some((path, file)) if path == job.path => file,
        _ => open_to_append(&job.path)?,
    };
    let (_, file) = open.insert((Arc::clone(&job.path), file));
    let before = file.metadata().ok().filter(std::fs::Metadata::is_file);
    if let Err(error) = file.write_all(job.text.as_bytes()) {
        // Nothing of it stays, not even half a line.
        if let Some(before) = before {
            let _ = file.set_len(before.len());
        }
        return Err(error);
    }
    match job.durable {
        true => file.sync_data(),
        false => Ok(()),
    }
}

/// A process may have died in the middle of a line: that is taken away.
fn open_to_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options.create(true).append(true).mode(0o600).open(path)?;
    if path.metadata()?.is_file() {
        let end = file.seek(SeekFrom::End(0))?;
        let whole = end_of_last_line(path, end)?;
        if whole < end {
            file.set_len(whole)?;
        }
    }
    Ok(file)
}

fn end_of_last_line(path: &Path, end: u64) -> io::Result<u64> {
    let from = end.saturating_sub(TAIL_BYTES);
    let bytes = read_from(path, from)?;
    let last = bytes.iter().rposition(|byte| *byte == b'\n');
    Ok(match last {
        Some(at) => from + u64::try_from(at).unwrap_or(u64::MAX) + 1,
        None if from == 0 => 0,
        None => end,
    })
}

fn read_from(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The file's last lines, back to the event after `sequence` at least, where it has that. None where
/// there is no such file, or what is there is no file.
pub(super) fn tail(path: &Path, sequence: u64) -> io::Result<Vec<Line>> {
    let length = match path.metadata() {
        Ok(found) if found.is_file() => found.len(),
        Ok(_) => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut window = TAIL_BYTES;
    loop {
        let from = length.saturating_sub(window);
        let lines = lines(&read_from(path, from)?, from > 0)?;
        let reaches = lines
            .first()
            .is_some_and(|line| line.head.sequence <= sequence + 1);
        if reaches || from == 0 {
            return Ok(lines);
        }
        window = window.saturating_mul(8);
    }
}

/// Whole lines; the first may have been cut by where reading began.
fn lines(bytes: &[u8], skip_first: bool) -> io::Result<Vec<Line>> {
    let text = String::from_utf8_lossy(bytes);
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let read = |line| from_line(line).map_err(io::Error::other);
    whole.skip(usize::from(skip_first)).map(read).collect()
}
