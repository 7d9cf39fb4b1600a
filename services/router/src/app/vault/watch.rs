//! Hears of changes in the vault, takes them in, and only then acknowledges them.

use std::time::Duration;

use keyward_auth::Authenticator;
use keyward_proto::vault::v1 as proto;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use super::VaultPort;

/// The pause before the vault is asked again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);
/// Acknowledgements on their way; the vault reads them as they come.
const ACKNOWLEDGEMENTS_MAX: usize = 64;

/// Why watching ended.
enum End {
    Stopping,
    Lost,
}

pub(super) async fn run(
    port: &VaultPort,
    authenticator: &Authenticator,
    stopping: &CancellationToken,
) {
    loop {
        let end = tokio::select! {
            () = stopping.cancelled() => End::Stopping,
            () = watch(port, authenticator) => End::Lost,
        };
        // What changed meanwhile is not known.
        port.freshness.lost();
        port.forget_all();
        authenticator.forget_all();
        if matches!(end, End::Stopping) {
            return;
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(RECONNECT_PAUSE) => {}
        }
    }
}

/// One connection, until it is lost.
async fn watch(port: &VaultPort, authenticator: &Authenticator) {
    let (acknowledge, outgoing) = mpsc::channel(ACKNOWLEDGEMENTS_MAX);
    // All that was known is forgotten at each connection, so the present is where to start.
    let start = proto::WatchChangesRequest {
        acknowledged_sequence: 0,
    };
    if acknowledge.send(start).await.is_err() {
        return;
    }
    let mut client = port.client.clone();
    let call = client.watch_changes(ReceiverStream::new(outgoing));
    let mut changes = match tokio::time::timeout(super::CALL_TIMEOUT, call).await {
        Ok(Ok(response)) => response.into_inner(),
        Ok(Err(status)) => {
            tracing::debug!(error = %status.message(), "the vault's changes cannot be watched yet");
            return;
        }
        Err(_) => return,
    };
    let mut last = None;
    // Silence for the bound means that what is known here may be wrong.
    while let Some(message) = next(&mut changes, port.freshness.bound()).await {
        port.freshness.reached(message.sequence);
        if let Some(last) = last.filter(|last| is_gap(*last, &message)) {
            tracing::warn!(
                sequence = message.sequence,
                last,
                "changes of the vault were missed"
            );
        }
        // What was kept before the first message was never verified.
        if last.is_none_or(|last| is_gap(last, &message)) {
            port.forget_all();
            authenticator.forget_all();
        }
        last = Some(message.sequence);
        if let Some(change) = &message.change {
            take_in(port, authenticator, change);
        }
        port.freshness.heard();
        if message.change.is_some() {
            let taken = proto::WatchChangesRequest {
                acknowledged_sequence: message.sequence,
            };
            if acknowledge.send(taken).await.is_err() {
                return;
            }
        }
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

fn is_gap(last: u64, message: &proto::WatchChangesResponse) -> bool {
    let expected = if message.change.is_some() {
        last + 1
    } else {
        last
    };
    message.sequence != expected
}

fn take_in(port: &VaultPort, authenticator: &Authenticator, change: &proto::Change) {
    match change.kind() {
        proto::ChangeKind::ProviderKey => {
            port.leases.forget(&change.resource_id);
            port.listings
                .key_changed(&change.resource_id, &change.owner_uid);
        }
        proto::ChangeKind::AccessKey => authenticator.forget_access_key(&change.resource_id),
        proto::ChangeKind::User
        | proto::ChangeKind::Organization
        | proto::ChangeKind::Project
        | proto::ChangeKind::Unspecified => {
            authenticator.forget_all();
            port.listings.forget_all();
        }
    }
}
