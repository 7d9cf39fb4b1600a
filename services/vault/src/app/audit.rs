//! The audit log: one writer links events into this instance's chain, and nothing is given out whose
//! event could not be written first. A platform admin reads all of it, everybody else what was done
//! in the own name.

mod file;
mod follower;
mod meters;
mod notes;
pub(crate) mod start;
mod torn;
pub(crate) mod verify;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keyward_storage::WriteLock;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::{Context, Core};
use crate::domain::audit::AuditEvent;
use crate::error::{Result, VaultError};
use crate::store::{Append, AuditFilter, AuditScope, HeldLease, Lease, Page};
use writer::{NoSink, Request, Writer};

/// How many callers may wait for the writer; those beyond it wait in line themselves.
const QUEUE_MAX: usize = 4096;

/// How long an event is waited for: within a second a caller knows that it was refused.
const ANSWER_MAX: Duration = Duration::from_millis(950);

/// How the audit log is kept.
#[derive(Debug, Clone)]
pub struct AuditConfig {
    /// Where checkpoints lie, and the log a second time: best another volume than the store's.
    pub folder: PathBuf,
    /// Whether nothing is given out without an event. False for tests only.
    pub required: bool,
    /// Whether a store is taken that is older than what was signed of it.
    pub accept_older_store: bool,
}

impl AuditConfig {
    /// The defaults for a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            required: true,
            accept_older_store: false,
        }
    }
}

/// This instance's log.
pub(crate) struct AuditLog {
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    required: bool,
    /// Where its checkpoints are.
    folder: Option<PathBuf>,
    tasks: TaskTracker,
}

impl AuditLog {
    fn run(writer: Writer, name_lock: WriteLock, config: AuditConfig) -> Self {
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let tasks = TaskTracker::new();
        tasks.spawn(async move {
            writer.run(queue).await;
            drop(name_lock);
        });
        tasks.close();
        Self {
            requests: Mutex::new(Some(requests)),
            required: config.required,
            folder: config.required.then_some(config.folder),
            tasks,
        }
    }

    /// Writes an event, durably; with a lease only if that holds, which is what is answered.
    ///
    /// # Errors
    /// [`VaultError::AuditUnavailable`] if no sink takes it.
    pub(crate) async fn append(&self, core: &Core, append: Append) -> Result<bool> {
        let requests = self.requests.lock().clone();
        let requests = requests.ok_or(VaultError::AuditUnavailable)?;
        let lease = append.lease.clone();
        let (reply, answer) = oneshot::channel();
        let request = Request { append, reply };
        let answered = timeout(ANSWER_MAX, async {
            requests.send(request).await.map_err(|_| NoSink)?;
            answer.await.unwrap_or(Err(NoSink))
        });
        // An event that is written after that says of a key that it left, and it did not.
        match answered.await.unwrap_or(Err(NoSink)) {
            Ok(granted) => Ok(granted),
            Err(NoSink) if self.required => Err(VaultError::AuditUnavailable),
            Err(NoSink) => match lease {
                Some(lease) => {
                    let held = vec![HeldLease::from(&lease)];
                    let holding = core.store.leases_holding(held, lease.now).await?;
                    Ok(!holding.is_empty())
                }
                None => Ok(true),
            },
        }
    }

    /// Where checkpoints are, if there are any.
    fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }

    /// Gives all that waits its place, signs it, and takes nothing more.
    pub(crate) async fn close(&self) {
        drop(self.requests.lock().take());
        self.tasks.wait().await;
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").finish_non_exhaustive()
    }
}

impl Core {
    /// A page of audit events, newest first; of those asked for, what the caller may see.
    pub(crate) async fn audit_list(
        &self,
        context: &Context,
        filter: AuditFilter,
        page: Page,
    ) -> Result<Vec<AuditEvent>> {
        let scope = if context.viewer().platform_admin {
            AuditScope::All
        } else if let Some(user) = context.user_uid() {
            AuditScope::User(user)
        } else if let Some(organization) = context.organization_uid() {
            AuditScope::Organization(organization)
        } else {
            return Err(VaultError::InvalidAccessKey);
        };
        let filter = AuditFilter { scope, ..filter };
        Ok(self.store.audit_list(filter, page).await?)
    }

    /// Durable before anything that it is about leaves. False if the lease does not hold.
    pub(super) async fn audit_append(
        &self,
        event: AuditEvent,
        lease: Option<Lease>,
    ) -> Result<bool> {
        let log = Arc::clone(&self.audit);
        log.append(self, Append { event, lease }).await
    }
}
