//! What a power loss left at the end of the files beside the store: half a line, half a note, or zero
//! bytes where what was written never reached the disk. It is cut off before the files are read.
//! Nothing durable is lost by it: whatever a secret waited for was on disk with all before it.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use crate::domain::audit::checkpoint::end_of_last_note;

/// Cuts the file of events behind its last whole line.
pub(super) fn cut_events(path: &Path) -> io::Result<()> {
    cut(path, |bytes| {
        let last = bytes.iter().rposition(|byte| *byte == b'\n');
        last.map_or(0, |at| at + 1)
    })
}

/// Cuts the file of checkpoints behind its last whole note.
pub(super) fn cut_notes(path: &Path) -> io::Result<()> {
    cut(path, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        end_of_last_note(&text)
    })
}

/// No line and no note has a zero byte in it: from the first one on nothing was written.
fn cut(path: &Path, end_of_whole: impl Fn(&[u8]) -> usize) -> io::Result<()> {
    match path.metadata() {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    let bytes = fs::read(path)?;
    let written = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let whole = end_of_whole(written);
    if whole == bytes.len() {
        return Ok(());
    }
    tracing::warn!(
        file = %path.display(),
        cut_bytes = bytes.len() - whole,
        "the end of a file of the audit log is torn, and is cut off"
    );
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(u64::try_from(whole).unwrap_or(u64::MAX))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cut: fn(&Path) -> io::Result<()>, before: &[u8], after: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, before).unwrap();
        cut(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), after, "{before:?}");
    }

    #[test]
    fn whole_lines_stay_and_what_is_torn_goes() {
        for (before, after) in [
            ("", ""),
            ("one\ntwo\n", "one\ntwo\n"),
            ("one\ntw", "one\n"),
            ("one\n\0\0\0", "one\n"),
            ("one\ntw\0\0\0", "one\n"),
            ("one\n\0\0o\nthree\n", "one\n"),
            ("\0\0\0", ""),
        ] {
            check(cut_events, before.as_bytes(), after.as_bytes());
        }
    }

    #[test]
    fn whole_notes_stay_and_what_is_torn_goes() {
        let note = "origin\n1\nhash\n\n\u{2014} origin key\n";
        for torn in [
            "",
            "origin\n2\nha",
            "origin\n2\nhash\n\n",
            "\0\0",
            "origin\n2\n\0\0",
        ] {
            let before = format!("{note}{note}{torn}");
            check(
                cut_notes,
                before.as_bytes(),
                [note, note].concat().as_bytes(),
            );
        }
    }

    #[test]
    fn what_is_not_there_or_is_no_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        cut_events(&folder.path().join("file")).unwrap();
        cut_events(Path::new("/dev/full")).unwrap();
    }
}
