//! The file beside the store: lines appended by a thread of its own, so that a disk that hangs holds
//! up nobody for longer than is waited for it. Signed checkpoints are written by the same thread.
//! What was given up on is taken out again: whoever was told that it is not there can rely on it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
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

/// From which length on a file of events is closed, and another one begun.
const SEGMENT_BYTES: u64 = 64 << 20;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// They are on disk when the writer is told so.
    Durable,
    /// The store has them, too: the disk may take its time, and a long file is closed before.
    Copied,
}

struct Job {
    path: Arc<Path>,
    text: String,
    care: Care,
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

    /// Appends lines. An error means that they are not there, nor ever will be.
    pub(super) async fn append(&self, lines: String, care: Care) -> io::Result<()> {
        self.write(&self.events, lines, care).await
    }

    /// Appends a signed note, durably.
    pub(super) async fn checkpoint(&self, note: String) -> io::Result<()> {
        self.write(&self.checkpoints, note, Care::Durable).await
    }

    async fn write(&self, path: &Arc<Path>, text: String, care: Care) -> io::Result<()> {
        if self.busy.swap(true, Ordering::AcqRel) {
            return Err(io::Error::from(io::ErrorKind::ResourceBusy));
        }
        let (done, mut answer) = oneshot::channel();
        let job = Job {
            path: Arc::clone(path),
            text,
            care,
            done,
        };
        if self.jobs.try_send(job).is_err() {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        match tokio::time::timeout(SINK_WAIT, &mut answer).await {
            Ok(Ok(written)) => written,
            Ok(Err(_)) => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
            Err(_) => {
                // From here on the thread knows that nobody waits; it may just have answered.
                answer.close();
                let late = answer.try_recv();
                late.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
            }
        }
    }
}

fn write_all(queue: &Receiver<Job>, busy: &AtomicBool) {
    let mut open: Option<(Arc<Path>, File)> = None;
    while let Ok(job) = queue.recv() {
        work(&mut open, job, busy);
    }
}

fn work(open: &mut Option<(Arc<Path>, File)>, job: Job, busy: &AtomicBool) {
    let written = write(open, &job);
    busy.store(false, Ordering::Release);
    let (told, before) = match written {
        Ok(before) => (Ok(()), before),
        Err(error) => {
            // Opened anew next time: what was in the way may be gone by then.
            *open = None;
            (Err(error), None)
        }
    };
    if job.done.send(told).is_err()
        && let (Some(before), Some((_, file))) = (before, open.as_ref())
    {
        // Whoever waited has given up, and gives this place in the chain to another event.
        let _ = file.set_len(before);
    }
}

/// Returns how long the file was before; nothing where it is none.
fn write(open: &mut Option<(Arc<Path>, File)>, job: &Job) -> io::Result<Option<u64>> {
    let file = match open.take() {
        Some((path, file)) if path == job.path => file,
        _ => open_to_append(&job.path)?,
    };
    let file = match job.care {
        Care::Copied => next_segment(&job.path, file, SEGMENT_BYTES)?,
        Care::Durable => file,
    };
    let (_, file) = open.insert((Arc::clone(&job.path), file));
    let before = length(file)?;
    let written = file.write_all(job.text.as_bytes());
    let written = written.and_then(|()| match job.care {
        Care::Durable => file.sync_data(),
        Care::Copied => Ok(()),
    });
    if let (Err(_), Some(before)) = (&written, before) {
        // Nothing of it stays, not even half a line.
        let _ = file.set_len(before);
    }
    written.map(|()| before)
}

/// Nothing where it is no file, such as a pipe.
fn length(file: &File) -> io::Result<Option<u64>> {
    let found = file.metadata()?;
    Ok(found.is_file().then_some(found.len()))
}

/// A process may have died in the middle of a line: that is taken away.
fn open_to_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options.create(true).append(true).mode(0o600).open(path)?;
    if length(&file)?.is_some() {
        let end = file.seek(SeekFrom::End(0))?;
        let whole = end_of_last_line(path, end)?;
        if whole < end {
            file.set_len(whole)?;
        }
        if whole == 0 {
            sync_folder_of(path)?;
        }
    }
    Ok(file)
}

/// A new file is only there for good once its folder is on disk.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Closes a file that is long enough: it gets its first event's number in its name, is never written
/// to again, and whoever runs this may take it away. Where that does not work it grows on.
fn next_segment(path: &Path, file: File, bytes_max: u64) -> io::Result<File> {
    if length(&file)?.is_none_or(|length| length < bytes_max) {
        return Ok(file);
    }
    file.sync_data()?;
    let closed = first_sequence(path).and_then(|first| {
        let name = path.with_extension(format!("{first:020}.jsonl"));
        std::fs::rename(path, name)
    });
    match closed {
        Ok(()) => open_to_append(path),
        Err(_) => Ok(file),
    }
}

fn first_sequence(path: &Path) -> io::Result<u64> {
    let mut line = String::new();
    BufReader::new(File::open(path)?).read_line(&mut line)?;
    let line = from_line(&line).map_err(io::Error::other)?;
    Ok(line.head.sequence)
}

/// The last file that was closed, if any still lies there.
fn newest_segment(path: &Path) -> io::Result<Option<PathBuf>> {
    let (Some(folder), Some(stem)) = (path.parent(), path.file_stem()) else {
        return Ok(None);
    };
    let stem = format!("{}.", stem.to_string_lossy());
    let mut newest: Option<PathBuf> = None;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_string_lossy();
        let number = number.strip_prefix(&stem);
        let number = number.and_then(|rest| rest.strip_suffix(".jsonl"));
        if number.is_some_and(|number| number.parse::<u64>().is_ok()) {
            // The numbers are of one length, so that they order as texts do.
            newest = newest.max(Some(entry.path()));
        }
    }
    Ok(newest)
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

/// The last lines, back to the event after `sequence` at least, where the file has that; those of the
/// last one that was closed where this one has just begun.
pub(super) fn tail(path: &Path, sequence: u64) -> io::Result<Vec<Line>> {
    let lines = tail_of(path, sequence)?;
    match newest_segment(path)? {
        Some(closed) if lines.is_empty() => tail_of(&closed, sequence),
        _ => Ok(lines),
    }
}

/// None where there is no such file, or what is there is no file.
fn tail_of(path: &Path, sequence: u64) -> io::Result<Vec<Line>> {
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::audit::body::to_line;
    use crate::domain::audit::chain::{Head, LinkedEvent};
    use crate::domain::audit::{Action, Actor, AuditEvent};

    fn lines_from(first: u64, count: u64) -> String {
        let mut head = Head::genesis("i");
        head.sequence = first - 1;
        let mut lines = String::new();
        for _ in 0..count {
            let time = jiff::Timestamp::UNIX_EPOCH;
            let (actor, action) = (Actor::default(), Action::VaultSeal);
            let event = AuditEvent::new(Uuid::nil(), time, &actor, action, "");
            let linked = LinkedEvent::after(head, event);
            head = linked.head;
            lines.push_str(&to_line("i", &linked));
        }
        lines
    }

    fn sequences(path: &Path) -> Vec<u64> {
        let lines = tail(path, 0).unwrap();
        lines.iter().map(|line| line.head.sequence).collect()
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_taken_out_again() {
        let folder = tempfile::tempdir().unwrap();
        let path: Arc<Path> = events_path(folder.path(), "i").into();
        let (mut open, busy) = (None, AtomicBool::new(true));
        let mut write = |text: String, waits: bool| {
            let (done, answer) = oneshot::channel();
            let answer = waits.then_some(answer);
            let (path, care) = (Arc::clone(&path), Care::Durable);
            let job = Job {
                path,
                text,
                care,
                done,
            };
            work(&mut open, job, &busy);
            answer.map(|mut answer| answer.try_recv().unwrap().unwrap())
        };
        write(lines_from(1, 2), true);
        write(lines_from(3, 2), false);
        assert_eq!(sequences(&path), [1, 2]);
        write(lines_from(3, 1), true);
        assert_eq!(sequences(&path), [1, 2, 3]);
    }

    #[test]
    fn a_long_file_is_closed_and_its_end_is_known_to_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = events_path(folder.path(), "i");
        for (first, count) in [(1, 2), (3, 2), (5, 1)] {
            let mut file = open_to_append(&path).unwrap();
            file.write_all(lines_from(first, count).as_bytes()).unwrap();
            assert_eq!(
                next_segment(&path, file, u64::MAX)
                    .unwrap()
                    .metadata()
                    .unwrap()
                    .len(),
                path.metadata().unwrap().len()
            );
            let file = open_to_append(&path).unwrap();
            let next = next_segment(&path, file, 1).unwrap();
            assert_eq!(next.metadata().unwrap().len(), 0);
        }
        let closed = path.with_extension("00000000000000000003.jsonl");
        assert_eq!(sequences(&closed), [3, 4]);
        assert_eq!(sequences(&path), [5]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(sequences(&path), [5]);
        std::fs::write(&path, lines_from(6, 1)).unwrap();
        assert_eq!(sequences(&path), [6]);
    }
}
