//! Room on the disk of `data_dir`.

use crate::doctor::report::Check;

/// A store of a busy gateway grows by this in a day or less.
const BYTES_LOW: u64 = 1 << 30;
/// Less than the write-ahead logs may need between two checkpoints.
const BYTES_MIN: u64 = 64 << 20;
/// Keyward keeps few files; others on the disk may not.
const INODES_LOW: u64 = 10_000;
/// Databases, logs, tokens, checkpoints: some dozen.
const INODES_MIN: u64 = 100;

/// What is free for the gateway's user.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The folder that was looked at.
    pub(crate) folder: String,
    /// Free bytes, and free inodes where the file system counts them; or why nobody knows.
    pub(crate) free: Result<Free, String>,
}

/// What is free.
#[derive(Debug, Clone)]
pub(crate) struct Free {
    /// Bytes.
    pub(crate) bytes: u64,
    /// Inodes; `None` where the file system makes them as needed.
    pub(crate) inodes: Option<u64>,
}

const NAME: &str = "disk";

pub(crate) fn judge(facts: &Facts) -> Check {
    let folder = &facts.folder;
    let free = match &facts.free {
        Ok(free) => free,
        Err(problem) => {
            let message = format!("what is free at {folder} cannot be found out: {problem}");
            return Check::warn(
                NAME,
                message,
                "see that data_dir is on a disk of this machine",
            );
        }
    };
    let inodes = free.inodes.unwrap_or(u64::MAX);
    let inodes_said = match free.inodes {
        Some(inodes) => format!(" and {inodes} inodes"),
        None => String::new(),
    };
    let message = format!("{} MiB{inodes_said} free at {folder}", free.bytes >> 20);
    let mend = "make room, or move data_dir to a larger disk";
    if free.bytes < BYTES_MIN || inodes < INODES_MIN {
        Check::fail(NAME, message, mend)
    } else if free.bytes < BYTES_LOW || inodes < INODES_LOW {
        Check::warn(NAME, message, mend)
    } else {
        Check::ok(NAME, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    #[test]
    fn a_full_disk_is_a_fault_and_a_filling_one_a_warning() {
        const MIB: u64 = 1 << 20;
        for (bytes, inodes, expect) in [
            (20_480 * MIB, Some(1_000_000), Status::Ok),
            (20_480 * MIB, None, Status::Ok),
            (1024 * MIB, Some(10_000), Status::Ok),
            (1023 * MIB, Some(10_000), Status::Warn),
            (20_480 * MIB, Some(9_999), Status::Warn),
            (63 * MIB, None, Status::Fail),
            (0, Some(1_000_000), Status::Fail),
            (20_480 * MIB, Some(99), Status::Fail),
        ] {
            let free = Ok(Free { bytes, inodes });
            let check = judge(&Facts {
                folder: "data".to_owned(),
                free,
            });
            assert_eq!(check.status, expect, "{check:?}");
        }
        let free = Err("permission denied".to_owned());
        let check = judge(&Facts {
            folder: "data".to_owned(),
            free,
        });
        assert_eq!(check.status, Status::Warn);
    }
}
