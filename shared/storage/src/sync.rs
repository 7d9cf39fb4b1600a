//! Brings commits to the disk for databases that do not wait for it at each one.
//!
//! Such a database commits with `synchronous=NORMAL`: a commit that has returned is written to the log
//! beside the file, so that it survives the process, and not yet the machine. A sync of the log makes
//! every commit before it survive the machine too. That holds because SQLite moves commits out of the
//! log only once they are safe elsewhere: a checkpoint syncs the log, copies, and syncs the file before
//! the log may begin anew, and a log that begins anew has its header synced, in NORMAL as in FULL. So
//! whatever was committed lies in the synced file or in the log as it stands, and frames carry chained
//! checksums: what a power cut leaves of the log is a beginning of it, never a part without what came
//! before. The sync goes through a handle of its own: SQLite keeps no locks on the log, so closing one
//! ends none.

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

use crate::StorageError;

/// How far syncing has come.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// The last commit that is on the disk.
    synced: u64,
    /// Nobody knows what is on the disk since: after a failed sync the kernel may take pages for
    /// written that are not, so that a later success would mean nothing.
    failed: bool,
}

#[derive(Debug, Default)]
struct State {
    committed: u64,
    /// Somebody waits.
    is_urgent: bool,
    is_closed: bool,
}

/// The thread that syncs, as the writer and those who wait see it.
#[derive(Debug, Clone)]
pub(crate) struct Syncer {
    state: Arc<(Mutex<State>, Condvar)>,
    progress: watch::Receiver<Progress>,
}

/// Tells when everything that had been committed when it was made is on the disk.
#[derive(Debug, Clone)]
pub struct SyncTicket {
    commit: u64,
    /// None where each commit waits for the disk itself.
    progress: Option<watch::Receiver<Progress>>,
}

impl Syncer {
    /// Syncs `log` at most `within` after a commit. The handle ends once [`Self::close`] was called.
    pub(crate) fn start(
        log: PathBuf,
        within: Duration,
    ) -> Result<(Self, thread::JoinHandle<()>), StorageError> {
        let (told, progress) = watch::channel(Progress::default());
        let state = Arc::default();
        let syncer = Self { state, progress };
        let this = syncer.clone();
        let thread = thread::Builder::new()
            .name("sqlite-sync".to_owned())
            .spawn(move || this.run(&log, within, &told))
            .map_err(|error| StorageError::Commit(error.to_string()))?;
        Ok((syncer, thread))
    }

    /// There is a commit more.
    pub(crate) fn committed(&self) {
        self.change(|state| state.committed += 1);
    }

    /// Asks for a sync at once.
    pub(crate) fn ticket(&self) -> SyncTicket {
        let mut commit = 0;
        self.change(|state| {
            state.is_urgent = true;
            commit = state.committed;
        });
        SyncTicket {
            commit,
            progress: Some(self.progress.clone()),
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.progress.borrow().failed
    }

    /// What is committed is synced, and the thread ends.
    pub(crate) fn close(&self) {
        self.change(|state| state.is_closed = true);
    }

    fn run(&self, log: &std::path::Path, within: Duration, told: &watch::Sender<Progress>) {
        let mut synced = 0;
        while let Some(commit) = self.next(synced, within) {
            let done = File::open(log).and_then(|log| log.sync_data());
            let failed = done.is_err();
            if let Err(error) = done {
                tracing::error!(
                    error = &error as &dyn Error,
                    "cannot bring commits to the disk"
                );
            } else {
                synced = commit;
            }
            told.send_replace(Progress { synced, failed });
            if failed {
                return;
            }
        }
    }

    /// The commit to sync up to, once it is time; none when all is done.
    fn next(&self, synced: u64, within: Duration) -> Option<u64> {
        let (lock, changed) = &*self.state;
        let idle = |state: &mut State| state.committed == synced && !state.is_closed;
        let gathering = |state: &mut State| !state.is_urgent && !state.is_closed;
        let state = changed.wait_while(locked(lock), idle);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(state, within, gathering);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_urgent = false;
        (state.committed > synced).then_some(state.committed)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let (lock, changed) = &*self.state;
        change(&mut locked(lock));
        changed.notify_one();
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SyncTicket {
    /// For a database whose commits wait for the disk themselves.
    pub(crate) fn done() -> Self {
        Self {
            commit: 0,
            progress: None,
        }
    }

    /// Waits for it.
    ///
    /// # Errors
    /// [`StorageError`] if it cannot be brought to the disk, or the database closed before.
    pub async fn synced(self) -> Result<(), StorageError> {
        let Some(mut progress) = self.progress else {
            return Ok(());
        };
        let over = |now: &Progress| now.failed || now.synced >= self.commit;
        let reached = progress.wait_for(over).await;
        match reached.map(|now| now.synced >= self.commit) {
            Ok(true) => Ok(()),
            Ok(false) => Err(StorageError::Commit("the disk failed".to_owned())),
            Err(_) => Err(StorageError::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_commit_is_synced_in_time_though_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        File::create(&log).unwrap();
        let (syncer, thread) = Syncer::start(log, Duration::from_millis(5)).unwrap();
        syncer.committed();
        syncer.committed();
        let mut progress = syncer.progress.clone();
        let reached = progress.wait_for(|now| now.synced == 2);
        let reached = tokio::time::timeout(Duration::from_secs(10), reached).await;
        assert!(reached.is_ok());
        syncer.close();
        thread.join().unwrap();
    }

    #[tokio::test]
    async fn who_waits_does_not_wait_for_the_time_to_gather() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        File::create(&log).unwrap();
        let (syncer, thread) = Syncer::start(log, Duration::from_hours(1)).unwrap();
        syncer.committed();
        let ticket = syncer.ticket();
        let synced = tokio::time::timeout(Duration::from_secs(10), ticket.synced()).await;
        synced.unwrap().unwrap();
        syncer.committed();
        // What is left is synced at the end.
        syncer.close();
        thread.join().unwrap();
        assert_eq!(syncer.progress.borrow().synced, 2);
    }

    #[tokio::test]
    async fn after_a_failed_sync_nothing_counts_as_synced() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("missing");
        let (syncer, thread) = Syncer::start(log, Duration::ZERO).unwrap();
        syncer.committed();
        assert!(syncer.ticket().synced().await.is_err());
        assert!(syncer.has_failed());
        thread.join().unwrap();
        syncer.committed();
        assert!(syncer.ticket().synced().await.is_err());
    }
}
