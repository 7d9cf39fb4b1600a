//! What the kernel is asked to keep others from seeing of this process: that it writes no core file,
//! and that other processes of the same user cannot read its memory. Root can, whatever is asked.

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, setrlimit};

/// What came of asking for one protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protection {
    /// It holds.
    On,
    /// Given up, by a process that has nothing to hide.
    GivenUp,
    /// The kernel refused it.
    Refused(Errno),
    /// This platform has no such thing.
    #[cfg_attr(target_os = "linux", allow(dead_code, reason = "Linux has all"))]
    Missing,
}

/// How far this process is hardened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a process says once how far it is hardened"]
pub struct Hardening {
    core_files: Protection,
    memory: Protection,
}

impl Hardening {
    /// Hardens this process. Meant for its very start: what is read before can be in a core file.
    pub fn apply() -> Self {
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        Self {
            core_files: Protection::of(setrlimit(Resource::Core, none)),
            memory: platform::keep_memory_private(),
        }
    }

    /// Lets processes of the same user read this one's memory after all, so that it can be examined:
    /// for processes that hold no stored key. They still write no core files.
    pub fn let_memory_be_read(self) -> Self {
        let memory = match platform::let_memory_be_read() {
            Ok(()) => Protection::GivenUp,
            Err(_) => self.memory,
        };
        Self { memory, ..self }
    }

    /// Says in the log what holds, and warns of what should and does not.
    pub fn log(self) {
        let core = "core files could hold keys: set the limit on them to 0 where it is started";
        let memory = "other processes of the same user can read this one's memory: give it a user \
                      of its own";
        for (protection, consequence) in [(self.core_files, core), (self.memory, memory)] {
            match protection {
                Protection::On | Protection::GivenUp => {}
                Protection::Refused(errno) => tracing::warn!(error = %errno, "{consequence}"),
                Protection::Missing => {
                    tracing::warn!(error = "not on this platform", "{consequence}");
                }
            }
        }
        tracing::info!(
            hardening.no_core_files = self.core_files == Protection::On,
            hardening.private_memory = self.memory == Protection::On,
            "hardened"
        );
    }
}

impl Protection {
    fn of(asked: Result<(), Errno>) -> Self {
        match asked {
            Ok(()) => Self::On,
            Err(errno) => Self::Refused(errno),
        }
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use rustix::io::Errno;
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    use super::Protection;

    /// Not dumpable: no core file by any handler, no debugger, no `/proc/<pid>/mem` but root's.
    pub(super) fn keep_memory_private() -> Protection {
        Protection::of(set_dumpable_behavior(DumpableBehavior::NotDumpable))
    }

    pub(super) fn let_memory_be_read() -> Result<(), Errno> {
        set_dumpable_behavior(DumpableBehavior::Dumpable)
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use rustix::io::Errno;

    use super::Protection;

    pub(super) fn keep_memory_private() -> Protection {
        Protection::Missing
    }

    pub(super) fn let_memory_be_read() -> Result<(), Errno> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Resource, getrlimit};

    use super::{Hardening, Protection};

    /// One test: all of it is about the one process that tests run in.
    #[test]
    fn a_hardened_process_writes_no_core_files_and_its_memory_is_private_until_given_up() {
        let hardening = Hardening::apply();
        assert_eq!(hardening.core_files, Protection::On);
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        assert_memory_is(hardening, Protection::On);
        assert_memory_is(hardening.let_memory_be_read(), Protection::GivenUp);
    }

    #[cfg(target_os = "linux")]
    fn assert_memory_is(hardening: Hardening, protection: Protection) {
        use rustix::process::{DumpableBehavior, dumpable_behavior};
        assert_eq!(hardening.memory, protection);
        let dumpable = match protection {
            Protection::On => DumpableBehavior::NotDumpable,
            _ => DumpableBehavior::Dumpable,
        };
        assert_eq!(dumpable_behavior().unwrap(), dumpable);
    }

    #[cfg(not(target_os = "linux"))]
    fn assert_memory_is(_: Hardening, _: Protection) {}
}
