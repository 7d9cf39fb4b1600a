//! The TLS connections that are open, so that those can be cut whose certificate is not good any
//! more: it has expired, or who signed it is no longer trusted.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio_util::sync::CancellationToken;

use super::verify;

/// How long calls that are under way may take to end on a connection whose certificate is not good any
/// more. Calls that begin go over new ones, where their side has changed too.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// Which end of a connection the other one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// It called.
    Client,
    /// It was called.
    Server,
}

/// The open connections of a process. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Open>>,
}

#[derive(Debug)]
struct Open {
    side: Side,
    chain: Vec<CertificateDer<'static>>,
    /// Since when its chain is not good any more: seconds since 1970.
    spoiled: Option<u64>,
    cut: CancellationToken,
}

/// A connection in the list, until it is dropped.
#[derive(Debug)]
pub(super) struct Listed {
    id: u64,
    shared: Arc<Shared>,
    /// Cancelled when the connection is to end at once.
    pub(super) cut: CancellationToken,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.shared.open.lock().remove(&self.id);
    }
}

impl Connections {
    /// Adds one whose other end showed this chain.
    pub(super) fn list(&self, side: Side, chain: Vec<CertificateDer<'static>>) -> Listed {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let cut = CancellationToken::new();
        let open = Open {
            side,
            chain,
            spoiled: None,
            cut: cut.clone(),
        };
        self.0.open.lock().insert(id, open);
        Listed {
            id,
            shared: Arc::clone(&self.0),
            cut,
        }
    }

    /// Cuts those whose chain has not led to one of these for [`GRACE`], and says how many.
    pub(super) fn cut_untrusted(&self, roots: &Arc<RootCertStore>, now: UnixTime) -> usize {
        let mut open = self.0.open.lock();
        let due = open.values_mut().filter_map(|open| {
            let is_due = open.is_due(roots, now) && !open.cut.is_cancelled();
            is_due.then_some(&open.cut)
        });
        due.map(CancellationToken::cancel).count()
    }
}

impl Open {
    fn is_due(&mut self, roots: &Arc<RootCertStore>, now: UnixTime) -> bool {
        let verified = match self.side {
            Side::Client => verify::client_chain(&self.chain, roots, now),
            Side::Server => verify::chain(&self.chain, roots, now),
        };
        if verified.is_ok() {
            self.spoiled = None;
            return false;
        }
        let since = *self.spoiled.get_or_insert(now.as_secs());
        now.as_secs().saturating_sub(since) >= GRACE.as_secs()
    }
}
