//! The certificates in force, and how changed files come into force: looked at every two seconds and
//! at a SIGHUP. What cannot be used is reported and left aside, so that a half-written file or a
//! typing error harms nobody: what was in force stays.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls_pki_types::UnixTime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use super::connections::Connections;
use super::material::{Files, Material, TlsError};
use super::meters::TlsMeters;
use crate::serve::Process;

/// How often the files are looked at. A certificate is in force well within a minute of its change.
const POLL: Duration = Duration::from_secs(2);

/// The certificates of a process, as they are now. Clones share them.
#[derive(Debug, Clone)]
pub struct Certificates(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The section of the settings that names the files: `tls` or `edge.tls`.
    part: &'static str,
    files: Files,
    current: ArcSwap<Material>,
    generation: AtomicU64,
    /// How the files looked when they were last read.
    seen: Mutex<Look>,
    connections: Connections,
    meters: TlsMeters,
}

/// What tells a changed file: its time, length and inode, each where it has one.
type Look = Vec<Option<(SystemTime, u64, u64)>>;

impl Certificates {
    /// Reads the files that the section `part` of the settings names.
    ///
    /// # Errors
    /// [`TlsError`] if they cannot be used.
    pub fn load(part: &'static str, files: Files, meters: TlsMeters) -> Result<Self, TlsError> {
        let seen = look(&files);
        let material = Material::read(&files, UnixTime::now())?;
        meters.show(part, &material);
        Ok(Self(Arc::new(Shared {
            part,
            files,
            current: ArcSwap::from_pointee(material),
            generation: AtomicU64::new(0),
            seen: Mutex::new(seen),
            connections: Connections::default(),
            meters,
        })))
    }

    /// What is in force now.
    pub fn current(&self) -> Arc<Material> {
        self.0.current.load_full()
    }

    /// Counts how often something else came into force.
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    pub(super) fn connections(&self) -> &Connections {
        &self.0.connections
    }

    /// Follows the files until the process stops.
    pub fn follow(&self, process: &Process) {
        let (certificates, stopping) = (self.clone(), process.stopping.clone());
        process.spawn(async move {
            stopping.run_until_cancelled(certificates.watch()).await;
        });
    }

    async fn watch(&self) {
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let Ok(mut hangup) = signal(SignalKind::hangup()) else {
            tracing::error!("SIGHUP cannot be listened for");
            return;
        };
        loop {
            tokio::select! {
                _ = ticks.tick() => self.look_again(),
                _ = hangup.recv() => self.read_again(),
            }
        }
    }

    /// Reads the files if they look different, and cuts connections whose certificate is not good
    /// any more.
    fn look_again(&self) {
        let looks = look(&self.0.files);
        let changed = *self.0.seen.lock() != looks;
        match changed {
            true => self.read_again(),
            false => self.cut_untrusted(UnixTime::now()),
        }
    }

    pub(super) fn read_again(&self) {
        let shared = &self.0;
        // Before they are read: what changes meanwhile is a change still.
        *shared.seen.lock() = look(&shared.files);
        let read = Material::read(&shared.files, UnixTime::now())
            .and_then(|material| material.in_place_of(&self.current()));
        shared.meters.reloaded(read.is_ok());
        match read {
            Ok(material) => {
                shared.meters.show(shared.part, &material);
                shared.current.store(Arc::new(material));
                shared.generation.fetch_add(1, Ordering::Release);
                tracing::info!(setting = shared.part, "certificates were read again");
            }
            Err(error) => tracing::error!(
                setting = shared.part,
                error.chain = %crate::error::chain(&error),
                "changed certificates cannot be used; those from before stay in force"
            ),
        }
        self.cut_untrusted(UnixTime::now());
    }

    pub(super) fn cut_untrusted(&self, now: UnixTime) {
        let roots = &self.current().roots;
        let cut = self.0.connections.cut_untrusted(roots, now);
        self.0.meters.cut(cut);
        if cut > 0 {
            tracing::warn!(
                connections = cut,
                "connections were cut: their certificates are not good any more"
            );
        }
    }
}

fn look(files: &Files) -> Look {
    let all = [Some(&files.cert), Some(&files.key), files.ca.as_ref()];
    let look_at = |path: &std::path::PathBuf| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), inode(&metadata)))
    };
    all.into_iter().flatten().map(look_at).collect()
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}
