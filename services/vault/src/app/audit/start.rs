//! The start of the audit log: whether the store is as new as what was signed of it, which instance
//! this is, and what of the log the file has and the store has not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use keyward_runtime::metrics::Metrics;
use keyward_runtime::private;
use keyward_storage::{StorageError, WriteLock};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tokio::time::Instant;

use super::file::{self, FileSink};
use super::follower::Follower;
use super::meters::AuditMeters;
use super::notes::{self, NotesError};
use super::torn;
use super::writer::Writer;
use super::{AuditConfig, AuditLog};
use crate::app::{Clock, Context};
use crate::domain::audit::chain::{Head, LinkedEvent};
use crate::domain::audit::checkpoint::Checkpoint;
use crate::domain::audit::{Action, AuditEvent};
use crate::error::VaultError;
use crate::store::{Chain, Store};

/// Which instance of the vault this folder is of.
const INSTANCE_FILE: &str = "vault-instance";

/// How long another process of this folder may take to end.
const NAME_WAIT: Duration = Duration::from_secs(5);

/// How many acceptances of older stores are looked at: each is a decision of an operator.
const ACCEPTED_MAX: u32 = 1000;

/// Why the audit log does not start.
#[derive(Debug, thiserror::Error)]
pub enum AuditStartError {
    /// The folder for checkpoints, or a file in it.
    #[error("the audit log cannot use {}: no key is given out without a log", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A checkpoint cannot be read.
    #[error(transparent)]
    Notes(#[from] NotesError),
    /// The store is older than what was signed of it.
    #[error(
        "the store was restored from a backup, or set back: audit head {head} is behind checkpoint \
         {checkpoint} of {instance}. See docs/audit.md#restored-from-a-backup; to go on with this \
         store, start once with --accept-older-store"
    )]
    OlderStore {
        /// Whose chain.
        instance: String,
        /// What the store has of it.
        head: u64,
        /// What was signed of it.
        checkpoint: u64,
    },
    /// Two processes would write the same chain.
    #[error("a vault has a data directory of its own")]
    SharedName(#[from] StorageError),
    /// The store.
    #[error("the audit log cannot be read or written")]
    Store(#[source] VaultError),
}

impl From<crate::store::StoreError> for AuditStartError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Store(error.into())
    }
}

/// What the log needs of the vault.
pub(crate) struct Ground {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) data_dir: PathBuf,
    pub(crate) config: AuditConfig,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    pub(crate) signing_seed: [u8; 32],
}

/// A chain that goes on behind what was signed of it.
struct Behind {
    instance: String,
    head: u64,
    checkpoint: u64,
}

/// Starts the log of this instance.
pub(crate) async fn start(ground: Ground) -> Result<AuditLog, AuditStartError> {
    let key = Ed25519KeyPair::from_seed_unchecked(&ground.signing_seed)
        .map_err(|_| AuditStartError::Store(VaultError::Internal("the audit key is malformed")))?;
    let mut public_key = [0; 32];
    public_key.copy_from_slice(key.public_key().as_ref());
    let folder = match ground.config.required {
        true => Some(ground.config.folder.as_path()),
        false => None,
    };
    let newest = match folder {
        Some(folder) => {
            prepare(folder, &public_key)?;
            notes::newest(folder)?
        }
        None => Vec::new(),
    };
    let chains = ground.store.audit_chains().await?;
    let behind = behind(&ground, &chains, &newest).await?;
    if let Some(behind) = behind.first()
        && !ground.config.accept_older_store
    {
        return Err(AuditStartError::OlderStore {
            instance: behind.instance.clone(),
            head: behind.head,
            checkpoint: behind.checkpoint,
        });
    }
    let name_lock = WriteLock::take(&ground.data_dir.join(INSTANCE_FILE), NAME_WAIT)?;
    let instance = instance(&ground.data_dir, !behind.is_empty())?;
    let genesis = Head::genesis(&instance);
    let own = chains.iter().find(|chain| chain.instance == instance);
    let head = own.map_or(genesis, |chain| chain.head);
    if own.is_none() {
        if let Some(folder) = folder {
            sign_beginning(folder, &instance, &key)?;
        }
        let chain = Chain {
            instance: instance.clone(),
            head,
            public_key,
        };
        ground.store.audit_chain_begin(chain).await?;
    }
    let signed = newest.iter().find(|note| note.instance == instance);
    let mut writer = writer(&ground, key, instance, head, folder)?;
    writer.checkpointed.0 = signed.map_or(0, |note| note.head.sequence);
    tell(&ground, &mut writer, &behind).await?;
    Ok(AuditLog::run(writer, name_lock, ground.config))
}

fn prepare(folder: &Path, public_key: &[u8; 32]) -> Result<(), AuditStartError> {
    let fault = |path: &Path| {
        let path = path.to_owned();
        move |source| AuditStartError::Folder { path, source }
    };
    private::make_folder(folder).map_err(fault(folder))?;
    notes::publish(folder, public_key).map_err(fault(&folder.join(notes::PUBLIC_KEY_FILE)))
}

/// The chains of which more was signed than the store has, but for those that were accepted so.
async fn behind(
    ground: &Ground,
    chains: &[Chain],
    newest: &[Checkpoint],
) -> Result<Vec<Behind>, AuditStartError> {
    let mut behind = Vec::new();
    for note in newest {
        let chain = chains.iter().find(|chain| chain.instance == note.instance);
        let head = chain.map_or(0, |chain| chain.head.sequence);
        let at_note = match head >= note.head.sequence {
            true => event_at(ground.store.as_ref(), note).await?,
            false => None,
        };
        let is_known = at_note == Some(note.head)
            || is_accepted(ground.store.as_ref(), newest, &note.instance, head).await?;
        if !is_known {
            behind.push(Behind {
                instance: note.instance.clone(),
                head,
                checkpoint: note.head.sequence,
            });
        }
    }
    Ok(behind)
}

/// A chain that has just begun is signed for, empty as it is: where no checkpoint is found later,
/// somebody has taken them away.
fn sign_beginning(
    folder: &Path,
    instance: &str,
    key: &Ed25519KeyPair,
) -> Result<(), AuditStartError> {
    let beginning = Checkpoint {
        instance: instance.to_owned(),
        head: Head::genesis(instance),
    };
    let path = file::checkpoints_path(folder, instance);
    notes::append(&path, &beginning.sign(key))
        .map_err(|source| AuditStartError::Folder { path, source })
}

async fn event_at(store: &dyn Store, note: &Checkpoint) -> Result<Option<Head>, AuditStartError> {
    if note.head.sequence == 0 {
        return Ok(Some(Head::genesis(&note.instance)));
    }
    let before = note.head.sequence.saturating_sub(1);
    let events = store.audit_chain(&note.instance, before, 1).await?;
    Ok(events.first().map(|linked| linked.head))
}

/// Whether an operator has accepted that this chain ends here though more was signed of it. The event
/// counts that a checkpoint covers: whoever can write to the store alone cannot make one.
async fn is_accepted(
    store: &dyn Store,
    newest: &[Checkpoint],
    instance: &str,
    head: u64,
) -> Result<bool, AuditStartError> {
    let action = Action::AuditAcceptOlderStore;
    let events = store.audit_linked_about(action, instance, ACCEPTED_MAX);
    let is_signed = |chain: &str, place: Head| {
        let covers =
            |note: &Checkpoint| note.instance == chain && note.head.sequence >= place.sequence;
        newest.iter().any(covers)
    };
    let events = events.await?;
    Ok(events.iter().any(|(chain, linked)| {
        linked.event.resource_version == head && is_signed(chain, linked.head)
    }))
}

/// This instance's name: from its file, or a new one where there is none or it must be another.
fn instance(data_dir: &Path, anew: bool) -> Result<String, AuditStartError> {
    let path = data_dir.join(INSTANCE_FILE);
    let fault = |source| AuditStartError::Folder {
        path: path.clone(),
        source,
    };
    match fs::read_to_string(&path) {
        Ok(text) if !anew && is_instance(text.trim()) => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fault(error)),
        Ok(_) | Err(_) => {}
    }
    let name = format!("vault-{}", keyward_runtime::ids::new().simple());
    let fresh = path.with_extension("new");
    // Of a start that did not come to its end.
    let _ = fs::remove_file(&fresh);
    private::write_new(&fresh, name.as_bytes())
        .and_then(|()| fs::rename(&fresh, &path))
        .map_err(fault)?;
    Ok(name)
}

fn is_instance(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

fn writer(
    ground: &Ground,
    key: Ed25519KeyPair,
    instance: String,
    head: Head,
    folder: Option<&Path>,
) -> Result<Writer, AuditStartError> {
    let (mut backlog, mut file_head, mut file) = (Vec::new(), head.sequence, None);
    if let Some(folder) = folder {
        let path = file::events_path(folder, &instance);
        let fault = |source| AuditStartError::Folder {
            path: path.clone(),
            source,
        };
        file = Some(FileSink::start(folder, &instance).map_err(fault)?);
        let notes = file::checkpoints_path(folder, &instance);
        torn::cut_events(&path).map_err(fault)?;
        torn::cut_notes(&notes).map_err(|source| AuditStartError::Folder {
            path: notes.clone(),
            source,
        })?;
        if path.metadata().map_or(true, |found| found.is_file()) {
            (backlog, file_head) = tail(&path, head).map_err(fault)?;
        }
    }
    let (store, meters) = (Arc::clone(&ground.store), AuditMeters::new(&ground.metrics));
    let follower = Follower::new(
        &instance,
        Arc::clone(&store),
        file,
        file_head,
        meters.clone(),
    );
    Ok(Writer {
        head: backlog.last().map_or(head, |linked| linked.head),
        instance,
        store,
        follower,
        key,
        clock: ground.clock.clone(),
        meters,
        backlog,
        hung: None,
        retry_at: None,
        checkpointed: (0, Instant::now()),
        unlinked_check_at: Instant::now(),
    })
}

/// What the file has after the store's head, and where it ends.
fn tail(path: &Path, head: Head) -> io::Result<(Vec<LinkedEvent>, u64)> {
    let lines = file::tail(path, head.sequence)?;
    let (mut fits, mut backlog) = (head, Vec::new());
    for line in lines
        .iter()
        .filter(|line| line.head.sequence > head.sequence)
    {
        let linked = line.linked().map_err(io::Error::other)?;
        if fits.next(&line.body) != line.head {
            let message = format!("line {} does not fit onto the store", line.head.sequence);
            return Err(io::Error::other(message));
        }
        fits = line.head;
        backlog.push(linked);
    }
    Ok((backlog, lines.last().map_or(0, |line| line.head.sequence)))
}

/// What the start itself adds to the log.
async fn tell(
    ground: &Ground,
    writer: &mut Writer,
    behind: &[Behind],
) -> Result<(), AuditStartError> {
    let context = Context::vault(ground.clock.now());
    for behind in behind {
        let event = context
            .event(Action::AuditAcceptOlderStore, &behind.instance)
            .version(behind.head);
        let reason = format!("checkpoint {} was signed", behind.checkpoint);
        let event = AuditEvent { reason, ..event };
        tracing::warn!(
            instance = behind.instance,
            audit.head = behind.head,
            audit.checkpoint = behind.checkpoint,
            "an older store is accepted"
        );
        ground.store.audit_insert(event).await?;
    }
    let linked = writer.link_all().await;
    let own = u64::try_from(behind.len()).unwrap_or(u64::MAX);
    if linked > own {
        let event = context.event(Action::AuditAdopt, &writer.instance);
        let reason = format!("{} events had no place in a chain yet", linked - own);
        ground
            .store
            .audit_insert(AuditEvent { reason, ..event })
            .await?;
        writer.link_all().await;
    }
    writer.checkpoint().await;
    Ok(())
}
