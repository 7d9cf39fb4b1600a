//! Hears of changes in the vault, takes them in, and only then acknowledges them. Where something may
//! have been missed, what is held counts for nothing until the vault has said what still holds.

use std::time::Duration;

use keyward_auth::Authenticator;
use keyward_proto::vault::v1 as proto;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use super::VaultPort;
use super::recovery::Recovery;

/// The pause before the vault is asked again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);
/// Acknowledgements on their way; the vault reads them as they come.
const ACKNOWLEDGEMENTS_MAX: usize = 64;

pub(super) async fn run(
    port: &VaultPort,
    authenticator: &Authenticator,
    stopping: &CancellationToken,
) {
    let watching = async {
        loop {
            watch(port, authenticator).await;
            // What changes meanwhile is not known. Who calls is asked anew, leases are kept to be
            // checked, and listings until it shows whether everything could be heard after all.
            port.freshness.doubt();
            port.checking.send_replace(false);
            authenticator.forget_all();
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    };
    stopping.run_until_cancelled(watching).await;
    port.freshness.doubt();
    port.forget_all();
    authenticator.forget_all();
}

/// One connection, until it is lost.
async fn watch(port: &VaultPort, authenticator: &Authenticator) {
    let resumed = port.freshness.sequence();
    let Some((acknowledge, mut changes)) = connect(port, resumed).await else {
        return;
    };
    let mut watcher = Watcher {
        port,
        authenticator,
        resumed,
        last: None,
        epoch: 0,
        recovery: Recovery::Done,
    };
    loop {
        tokio::select! {
            // Silence for the bound means that what is known here may be wrong.
            message = next(&mut changes, port.freshness.bound()) => {
                let Some(message) = message else { return };
                watcher.hear(&message);
                if message.change.is_some() && acknowledge.send(request(message.sequence)).await.is_err() {
                    return;
                }
            }
            answered = watcher.recovery.answered() => match answered {
                Some(sequence) => watcher.recovery = Recovery::CatchingUp(sequence),
                None => return,
            },
        }
        watcher.recover();
    }
}

/// Starts after `resumed`, the last change that was taken in; 0 for the present.
async fn connect(
    port: &VaultPort,
    resumed: u64,
) -> Option<(
    mpsc::Sender<proto::WatchChangesRequest>,
    Streaming<proto::WatchChangesResponse>,
)> {
    let (acknowledge, outgoing) = mpsc::channel(ACKNOWLEDGEMENTS_MAX);
    acknowledge.send(request(resumed)).await.ok()?;
    let mut client = port.client.clone();
    let call = client.watch_changes(ReceiverStream::new(outgoing));
    match tokio::time::timeout(super::CALL_TIMEOUT, call).await {
        Ok(Ok(response)) => Some((acknowledge, response.into_inner())),
        Ok(Err(status)) => {
            tracing::debug!(error = %status.message(), "the vault's changes cannot be watched yet");
            None
        }
        Err(_) => None,
    }
}

fn request(acknowledged_sequence: u64) -> proto::WatchChangesRequest {
    proto::WatchChangesRequest {
        acknowledged_sequence,
    }
}

async fn next(
    changes: &mut Streaming<proto::WatchChangesResponse>,
    bound: Duration,
) -> Option<proto::WatchChangesResponse> {
    tokio::time::timeout(bound, changes.message())
        .await
        .ok()?
        .ok()?
}

/// One connection's state.
struct Watcher<'a> {
    port: &'a VaultPort,
    authenticator: &'a Authenticator,
    /// Where it was to start.
    resumed: u64,
    /// The last sequence heard on it.
    last: Option<u64>,
    /// What the recovery is for.
    epoch: u64,
    recovery: Recovery<'a>,
}

impl Watcher<'_> {
    fn hear(&mut self, message: &proto::WatchChangesResponse) {
        let port = self.port;
        // A process that was stopped for a while finds messages that were on time once.
        let was_silent = port.freshness.is_silent();
        let is_first = self.last.is_none();
        let is_gap = self.is_gap(message);
        port.freshness.reached(message.sequence);
        if is_gap {
            port.listings.forget_all();
            self.authenticator.forget_all();
        }
        if is_gap || is_first || was_silent {
            self.begin_recovery();
        }
        self.last = Some(message.sequence);
        if let Some(change) = &message.change {
            take_in(port, self.authenticator, change);
        }
        port.freshness.heard();
    }

    /// Whether changes may lie between this message and what was heard before it, on this connection
    /// or the last.
    fn is_gap(&self, message: &proto::WatchChangesResponse) -> bool {
        let last = self.last.unwrap_or(self.resumed);
        let expected = last + u64::from(message.change.is_some());
        if self.last.is_none() && self.resumed == 0 {
            // There is nothing to go on from.
            return true;
        }
        if message.sequence != expected {
            let sequence = message.sequence;
            tracing::warn!(sequence, last, "changes of the vault were missed");
        }
        message.sequence != expected
    }

    fn begin_recovery(&mut self) {
        let port = self.port;
        port.meters.doubt();
        self.epoch = port.freshness.doubt();
        self.recovery = Recovery::begin(port, self.epoch);
        port.checking.send_replace(true);
    }

    /// Trusts what is held as soon as leases are checked and everything up to then was heard.
    fn recover(&mut self) {
        let port = self.port;
        if self.recovery.is_over(port.freshness.sequence()) {
            self.recovery = Recovery::Done;
            port.freshness.trust(self.epoch);
            port.checking.send_replace(false);
        }
    }
}

fn take_in(port: &VaultPort, authenticator: &Authenticator, change: &proto::Change) {
    match change.kind() {
        proto::ChangeKind::ProviderKey => {
            port.leases.forget(&change.resource_id);
            port.listings
                .key_changed(&change.resource_id, &change.owner_uid);
        }
        proto::ChangeKind::AccessKey => authenticator.forget_access_key(&change.resource_id),
        proto::ChangeKind::Seal => port.leases.forget_all(),
        proto::ChangeKind::MasterKey => {}
        proto::ChangeKind::User
        | proto::ChangeKind::Organization
        | proto::ChangeKind::Project
        | proto::ChangeKind::Unspecified => {
            authenticator.forget_all();
            port.listings.forget_all();
        }
    }
}
