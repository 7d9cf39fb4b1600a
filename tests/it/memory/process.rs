//! The memory of another process, searched through what the kernel shows of it.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};

use keyward_testkit::canary::Search;
use memchr::memmem;

/// How much of a process's memory is read at once; regions overlap by as much as a key could have.
const PIECE: u64 = 4 * 1024 * 1024;
const OVERLAP: u64 = 256;

/// How much is shown of what follows on something.
const BEHIND: usize = 2;

/// Whether something is in what a process can read of its own memory.
///
/// # Errors
/// If we may not read it.
pub(super) fn is_in_memory(process: u32, search: &Search) -> io::Result<bool> {
    any_piece(process, |bytes| search.found_in(bytes).is_some())
}

/// Whether these bytes are there with something behind them for which this holds.
///
/// # Errors
/// If we may not read it.
pub(super) fn is_followed(
    process: u32,
    bytes: &[u8],
    so: impl Fn(&[u8]) -> bool,
) -> io::Result<bool> {
    any_piece(process, |piece| {
        memmem::find_iter(piece, bytes).any(|at| {
            let behind = &piece[at + bytes.len()..];
            // Where a piece ends too early, the next one has it whole.
            behind.len() >= BEHIND && so(&behind[..BEHIND])
        })
    })
}

fn any_piece(process: u32, so: impl Fn(&[u8]) -> bool) -> io::Result<bool> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let mut memory = File::open(format!("/proc/{process}/mem"))?;
    Ok(maps.lines().filter_map(readable).any(|(start, end)| {
        let mut position = start;
        while position < end {
            let size = (end - position).min(PIECE + OVERLAP);
            if so(&read(&mut memory, position, size)) {
                return true;
            }
            position += PIECE;
        }
        false
    }))
}

/// The bounds of a readable region; files that were mapped for reading only are left out, since they
/// hold what is on disk.
fn readable(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let rights = words.next()?;
    if !rights.starts_with("rw") {
        return None;
    }
    let address = |text| u64::from_str_radix(text, 16).ok();
    Some((address(start)?, address(end)?))
}

fn read(memory: &mut File, position: u64, size: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if memory.seek(SeekFrom::Start(position)).is_ok() {
        // Some regions cannot be read whatever their rights say; what was read counts.
        let _ = memory.take(size).read_to_end(&mut bytes);
    }
    bytes
}
