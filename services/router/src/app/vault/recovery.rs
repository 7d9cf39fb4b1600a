//! After a doubt: one batched question which leases still hold, so that a router that missed
//! something recovers with a few calls instead of opening every key anew.

use futures::future::BoxFuture;
use keyward_proto::vault::v1::{CheckLeasesRequest, HeldLease};

use super::{CALL_TIMEOUT, VaultPort};

/// How many leases are asked for at a time, as the contract says.
const BATCH: usize = 500;

/// How far it has come.
pub(super) enum Recovery<'a> {
    /// The vault is asked which leases hold.
    Asking(BoxFuture<'a, Option<u64>>),
    /// It has answered; done once the changes up to this one have come.
    CatchingUp(u64),
    /// What is held is known to be true.
    Done,
}

impl<'a> Recovery<'a> {
    /// Begins one for `epoch`.
    pub(super) fn begin(port: &'a VaultPort, epoch: u64) -> Self {
        Self::Asking(Box::pin(check(port, epoch)))
    }

    /// Waits for the vault's answer where it is asked, for ever where it is not: the change that the
    /// answer includes, or `None` if there was none.
    pub(super) async fn answered(&mut self) -> Option<u64> {
        match self {
            Self::Asking(asking) => asking.await,
            Self::CatchingUp(_) | Self::Done => std::future::pending().await,
        }
    }

    /// Whether only this sequence was waited for.
    pub(super) fn is_over(&self, sequence: u64) -> bool {
        matches!(self, Self::CatchingUp(head) if sequence >= *head)
    }
}

/// Asks for all that is unverified. Also asks where nothing is: the answer tells how far the vault
/// is, and so when everything was heard.
async fn check(port: &VaultPort, epoch: u64) -> Option<u64> {
    let unverified = port.leases.unverified(epoch);
    let mut batches = unverified.chunks(BATCH);
    let mut sequence = check_batch(port, batches.next().unwrap_or_default(), epoch).await?;
    for batch in batches {
        sequence = check_batch(port, batch, epoch).await?;
    }
    Some(sequence)
}

async fn check_batch(port: &VaultPort, batch: &[HeldLease], epoch: u64) -> Option<u64> {
    let request = CheckLeasesRequest {
        leases: batch.to_vec(),
    };
    let mut client = port.client.clone();
    let answer = match tokio::time::timeout(CALL_TIMEOUT, client.check_leases(request)).await {
        Ok(Ok(answer)) => answer.into_inner(),
        Ok(Err(status)) => {
            tracing::debug!(error = %status.message(), "leases cannot be checked yet");
            return None;
        }
        Err(_) => return None,
    };
    let holding = answer.lease_ids.into_iter().collect();
    let held = port.leases.settle(batch, &holding, epoch);
    port.meters.checked(batch.len(), held);
    Some(answer.sequence)
}
