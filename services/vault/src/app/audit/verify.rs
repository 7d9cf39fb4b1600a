//! Proof of the log: every chain from its first event to its head, through all checkpoints, and every
//! stored key against what was last said of it. Only reads, so that it runs beside a live vault and
//! on a store that nobody has open.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use uuid::Uuid;

use super::notes::{self, NotesError};
use crate::app::{Context, Core};
use crate::domain::audit::body::body;
use crate::domain::audit::chain::{Head, LinkedEvent};
use crate::domain::audit::checkpoint::{Checkpoint, SignedNote};
use crate::domain::audit::proof::{Break, ChainProof};
use crate::domain::audit::{Action, AuditEvent, Outcome};
use crate::error::{Result, VaultError};
use crate::store::{AuditFilter, Page, Store, StoreError, Stored, StoredRecord};

/// How many rows are read at a time.
const PAGE: u32 = 1000;

/// What was found of the log.
#[derive(Debug)]
pub struct AuditProof {
    /// The chains that are whole.
    pub chains: Vec<ProvenChain>,
    /// How many events have no place yet.
    pub unlinked: u64,
    /// How many checkpoints were held against the chains.
    pub checkpoints: usize,
    /// What is wrong.
    pub faults: Vec<AuditFault>,
}

impl AuditProof {
    /// Whether nothing is wrong.
    pub fn is_proven(&self) -> bool {
        self.faults.is_empty()
    }
}

/// A chain that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenChain {
    /// Whose.
    pub instance: String,
    /// Its length and last hash.
    pub head: Head,
    /// Up to which event a checkpoint vouches for it; 0 where none does.
    pub signed: u64,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditFault {
    /// The first broken place of a chain.
    Chain(Break),
    /// A checkpoint that none of the known keys has signed.
    Unsigned(Checkpoint),
    /// There are events, and not one checkpoint: somebody took them away, since every chain begins with one.
    NothingSigned,
    /// A key that is older than what was last said of it: its row was set back.
    SetBack {
        /// Which key.
        id: Uuid,
        /// The version in the store.
        stored: u64,
        /// The version in the log.
        audited: u64,
    },
    /// A key of a version that the log does not know.
    Unknown {
        /// Which key.
        id: Uuid,
        /// The version in the store.
        stored: u64,
    },
    /// A key whose sealed secret is another than the log has seen of that version.
    OtherRecord {
        /// Which key.
        id: Uuid,
        /// Its version.
        version: u64,
    },
    /// A key that is there though the log says it was deleted.
    Returned {
        /// Which key.
        id: Uuid,
    },
}

impl fmt::Display for AuditFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(at) => at.fmt(f),
            Self::Unsigned(Checkpoint { instance, head }) => write!(
                f,
                "the checkpoint of {instance} at event {} was not signed with a known key",
                head.sequence
            ),
            Self::NothingSigned => f.write_str(
                "nothing signed vouches for the log: there is no checkpoint, though every chain \
                 begins with one, so that events at its end may be gone unseen",
            ),
            Self::SetBack {
                id,
                stored,
                audited,
            } => write!(
                f,
                "provider key {id} was set back: the store has version {stored}, the log version \
                 {audited}"
            ),
            Self::Unknown { id, stored } => write!(
                f,
                "provider key {id} has version {stored}, of which the log knows nothing"
            ),
            Self::OtherRecord { id, version } => write!(
                f,
                "provider key {id}, version {version}, has another sealed secret than the log says"
            ),
            Self::Returned { id } => {
                write!(
                    f,
                    "provider key {id} is stored, and was deleted as the log says"
                )
            }
        }
    }
}

/// What a log is held against.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// Whether there is a folder that checkpoints belong into.
    has_folder: bool,
    notes: Vec<SignedNote>,
    public_keys: Vec<[u8; 32]>,
}

impl Evidence {
    /// The checkpoints in a folder, to be verified with these keys; with those that lie beside them
    /// where none is given.
    pub(crate) fn read(
        folder: &Path,
        given: Vec<[u8; 32]>,
    ) -> std::result::Result<Self, NotesError> {
        let notes = notes::all(folder)?.into_iter().flatten().collect();
        let path = folder.join(notes::PUBLIC_KEY_FILE);
        let public_keys = match given.is_empty() {
            true => {
                notes::public_keys(&path).map_err(|source| NotesError::Read { path, source })?
            }
            false => given,
        };
        Ok(Self {
            has_folder: true,
            notes,
            public_keys,
        })
    }

    fn sort(self, proof: &mut AuditProof) -> BTreeMap<String, Vec<Checkpoint>> {
        let mut sorted: BTreeMap<String, Vec<Checkpoint>> = BTreeMap::new();
        for note in self.notes {
            let signed = |key: &[u8; 32]| note.verify(key).is_ok();
            let signed = self.public_keys.iter().any(signed);
            match signed {
                true => {
                    proof.checkpoints += 1;
                    let of = sorted.entry(note.checkpoint.instance.clone()).or_default();
                    of.push(note.checkpoint);
                }
                false => proof.faults.push(AuditFault::Unsigned(note.checkpoint)),
            }
        }
        sorted
    }
}

/// What the log says of a key, as far as it has been read.
#[derive(Debug, Clone, Default)]
struct Said {
    version: u64,
    record_sha256: String,
    is_deleted: bool,
}

/// What the log says of everything that is of interest here.
#[derive(Debug, Default)]
struct Account {
    keys: BTreeMap<Uuid, Said>,
    /// Instances that were gone on with though cut off, and where.
    accepted: BTreeSet<(String, u64)>,
}

impl Account {
    fn read(&mut self, event: &AuditEvent) {
        if event.outcome != Outcome::Ok.name() {
            return;
        }
        let Ok(id) = event.resource_id.parse() else {
            return;
        };
        if !event.action.starts_with("provider_key.") {
            return;
        }
        let said = self.keys.entry(id).or_default();
        said.is_deleted |= event.action == Action::ProviderKeyDelete.name();
        if event.resource_version > said.version {
            said.version = event.resource_version;
            said.record_sha256.clear();
        }
        if event.resource_version == said.version && !event.record_sha256.is_empty() {
            said.record_sha256.clone_from(&event.record_sha256);
        }
    }

    /// Takes an acceptance that a checkpoint covers; others do not count.
    fn accept(&mut self, event: &AuditEvent) {
        if event.action == Action::AuditAcceptOlderStore.name() {
            let at = (event.resource_id.clone(), event.resource_version);
            self.accepted.insert(at);
        }
    }

    fn judge(&self, stored: &StoredRecord) -> Option<AuditFault> {
        let id = stored.id;
        let Some(said) = self.keys.get(&id) else {
            return Some(AuditFault::Unknown {
                id,
                stored: stored.version,
            });
        };
        let other = !said.record_sha256.is_empty() && said.record_sha256 != stored.record_sha256;
        match stored.version {
            _ if said.is_deleted => Some(AuditFault::Returned { id }),
            version if version < said.version => Some(AuditFault::SetBack {
                id,
                stored: version,
                audited: said.version,
            }),
            version if version > said.version => Some(AuditFault::Unknown {
                id,
                stored: version,
            }),
            version if other => Some(AuditFault::OtherRecord { id, version }),
            _ => None,
        }
    }
}

/// Reads the whole log; `each` sees every event that has a place.
pub(crate) async fn prove(
    store: &dyn Store,
    evidence: Evidence,
    mut each: impl FnMut(&str, &LinkedEvent),
) -> Stored<AuditProof> {
    let mut proof = AuditProof {
        chains: Vec::new(),
        unlinked: 0,
        checkpoints: 0,
        faults: Vec::new(),
    };
    let is_unsigned = evidence.has_folder && evidence.notes.is_empty();
    let mut checkpoints = evidence.sort(&mut proof);
    let mut account = Account::default();
    let mut read = Vec::new();
    for chain in store.audit_chains().await? {
        let known = checkpoints.remove(&chain.instance).unwrap_or_default();
        let signed = known.iter().map(|known| known.head.sequence).max();
        let mut chain_proof = ChainProof::new(&chain.instance, known);
        let mut after = 0;
        loop {
            let events = store.audit_chain(&chain.instance, after, PAGE).await?;
            let Some(last) = events.last() else { break };
            after = last.head.sequence;
            for linked in &events {
                chain_proof.read(linked.head, &body(&linked.event));
                account.read(&linked.event);
                if signed.is_some_and(|signed| linked.head.sequence <= signed) {
                    account.accept(&linked.event);
                }
                each(&chain.instance, linked);
            }
        }
        read.push((chain, signed, chain_proof));
    }
    if is_unsigned && read.iter().any(|(chain, ..)| chain.head.sequence > 0) {
        proof.faults.push(AuditFault::NothingSigned);
    }
    // Chains of which the store knows nothing.
    for (instance, known) in checkpoints {
        read.push((lost(&instance), None, ChainProof::new(&instance, known)));
    }
    for event in store.audit_unlinked(PAGE).await? {
        proof.unlinked += 1;
        account.read(&event);
    }
    for (chain, signed, mut chain_proof) in read {
        let at = (chain.instance.clone(), chain.head.sequence);
        if account.accepted.contains(&at) {
            chain_proof.accept(chain.head.sequence);
        }
        match chain_proof.finish(chain.head.sequence) {
            Ok(head) => proof.chains.push(ProvenChain {
                instance: chain.instance,
                head,
                signed: signed.unwrap_or(0),
            }),
            Err(at) => proof.faults.push(AuditFault::Chain(at)),
        }
    }
    let faults = prove_keys(store, &account).await?;
    proof.faults.extend(faults);
    Ok(proof)
}

fn lost(instance: &str) -> crate::store::Chain {
    crate::store::Chain {
        instance: instance.to_owned(),
        head: Head::genesis(instance),
        public_key: [0; 32],
    }
}

async fn prove_keys(store: &dyn Store, account: &Account) -> Stored<Vec<AuditFault>> {
    let (mut faults, mut after) = (Vec::new(), Uuid::nil());
    loop {
        let stored = store.provider_key_records(after, PAGE).await?;
        let Some(last) = stored.last() else {
            return Ok(faults);
        };
        after = last.id;
        for record in &stored {
            if account.judge(record).is_some() {
                faults.extend(look_again(store, record.id).await?);
            }
        }
    }
}

/// It may have changed since the log was read: its own events anew, then the key, then its events
/// once more, since a change is written together with its event.
async fn look_again(store: &dyn Store, id: Uuid) -> Stored<Option<AuditFault>> {
    let mut fault = None;
    for _ in 0..3 {
        let account = account_of(store, id).await?;
        let before = Uuid::from_u128(id.as_u128().saturating_sub(1));
        let stored = store.provider_key_records(before, 1).await?;
        let Some(stored) = stored.first().filter(|stored| stored.id == id) else {
            return Ok(None);
        };
        fault = account.judge(stored);
        if fault.is_none() {
            break;
        }
    }
    Ok(fault)
}

/// All that was said of one key.
async fn account_of(store: &dyn Store, id: Uuid) -> Stored<Account> {
    let filter = AuditFilter {
        resource_id: Some(id.to_string()),
        ..AuditFilter::default()
    };
    let (mut events, mut before) = (Vec::new(), None);
    loop {
        let page = Page { size: PAGE, before };
        let found = store.audit_list(filter.clone(), page).await?;
        let (count, last) = (found.len(), found.last().map(|event| event.id));
        // Newest first: what says which secret a key has makes all that is older needless.
        let says = |event: &AuditEvent| {
            event.outcome == Outcome::Ok.name() && !event.record_sha256.is_empty()
        };
        let is_enough = found.iter().any(says);
        events.extend(found);
        if is_enough || count <= PAGE as usize {
            break;
        }
        before = last;
    }
    let mut account = Account::default();
    events.iter().rev().for_each(|event| account.read(event));
    Ok(account)
}

impl Core {
    /// Proves the log as it stands, with the checkpoints of this vault's folder.
    pub(crate) async fn audit_verify(&self, context: &Context) -> Result<AuditProof> {
        if !context.viewer().platform_admin {
            return Err(VaultError::Forbidden("this: it needs the scope `admin`"));
        }
        let evidence = match self.audit.folder() {
            Some(folder) => {
                let read = move || Evidence::read(&folder, Vec::new());
                let read = tokio::task::spawn_blocking(read).await;
                let read = read.map_err(|_| VaultError::Internal("reading checkpoints broke"))?;
                read.map_err(|error| {
                    tracing::error!(%error, "the checkpoints cannot be read");
                    VaultError::Internal("the checkpoints cannot be read")
                })?
            }
            None => Evidence::default(),
        };
        let proof = prove(self.store.as_ref(), evidence, |_, _| ()).await;
        proof.map_err(|error: StoreError| error.into())
    }
}
