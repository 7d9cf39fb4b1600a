//! `VaultService`: for other roles.

use futures::StreamExt as _;
use futures::stream::BoxStream;
use keyward_auth::Peer;
use keyward_proto::vault::v1::vault_service_server::VaultService;
use keyward_proto::vault::v1::{
    CheckLeasesRequest, CheckLeasesResponse, CheckProviderKeyRequest, CheckProviderKeyResponse,
    ClaimDueTestsRequest, ClaimDueTestsResponse, ListKeyConcernsRequest, ListKeyConcernsResponse,
    ListUsableKeysRequest, ListUsableKeysResponse, RecordPolicyChangeRequest,
    RecordPolicyChangeResponse, ReportKeyOutcomeRequest, ReportKeyOutcomeResponse,
    RewrapKeysRequest, RewrapKeysResponse, UnsealProviderKeyRequest, UnsealProviderKeyResponse,
    WatchChangesRequest, WatchChangesResponse,
};
use prost_types::Duration as ProtoDuration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::change::command;
use super::{VaultGrpc, decode, encode, status};
use crate::app::{Context, Core, watch};
use crate::domain::key_tests::CLAIM;
use crate::error::VaultError;

#[tonic::async_trait]
impl VaultService for VaultGrpc {
    type RewrapKeysStream = BoxStream<'static, Result<RewrapKeysResponse, Status>>;
    type WatchChangesStream = BoxStream<'static, Result<WatchChangesResponse, Status>>;

    async fn list_usable_keys(
        &self,
        request: Request<ListUsableKeysRequest>,
    ) -> Result<Response<ListUsableKeysResponse>, Status> {
        let (context, _) = self.admit(request).await?;
        let (keys, sequence) = self.core.usable_keys(&context).await.map_err(status)?;
        let encode = |key| encode::usable_key(key, context.now);
        let keys = keys.into_iter().map(encode).collect();
        Ok(Response::new(ListUsableKeysResponse { keys, sequence }))
    }

    async fn unseal_provider_key(
        &self,
        request: Request<UnsealProviderKeyRequest>,
    ) -> Result<Response<UnsealProviderKeyResponse>, Status> {
        let (context, message) = self.admit(request).await?;
        let wish = decode::wish(message).map_err(status)?;
        let unsealed = self.core.unseal(&context, &wish).await.map_err(status)?;
        Ok(Response::new(UnsealProviderKeyResponse {
            secret: unsealed.secret.expose_bytes().to_vec(),
            version: unsealed.version,
            lease_id: unsealed.lease_id.to_string(),
            lease_duration: ProtoDuration::try_from(unsealed.duration).ok(),
            provider_key: unsealed
                .key
                .map(|key| encode::provider_key(key, context.now)),
        }))
    }

    async fn check_provider_key(
        &self,
        request: Request<CheckProviderKeyRequest>,
    ) -> Result<Response<CheckProviderKeyResponse>, Status> {
        let act = async |core: &Core, context: &Context, message| {
            let new = decode::unsaved_key(message)?;
            let key = core.provider_key_check(context, new).await?;
            let mut shown = encode::provider_key(key, context.now);
            // Nothing has this id.
            shown.provider_key_id.clear();
            shown.etag.clear();
            Ok(CheckProviderKeyResponse {
                provider_key: Some(shown),
            })
        };
        self.answer(request, act).await
    }

    async fn record_policy_change(
        &self,
        request: Request<RecordPolicyChangeRequest>,
    ) -> Result<Response<RecordPolicyChangeResponse>, Status> {
        let act = async |core: &Core, context: &Context, message| {
            let change = decode::policy_change(message)?;
            core.policy_change_record(context, change).await?;
            Ok(RecordPolicyChangeResponse {})
        };
        self.answer(request, act).await
    }

    async fn claim_due_tests(
        &self,
        request: Request<ClaimDueTestsRequest>,
    ) -> Result<Response<ClaimDueTestsResponse>, Status> {
        let act = async |core: &Core, context: &Context, message: ClaimDueTestsRequest| {
            let interval = decode::interval(message.interval);
            let claimed = core
                .claim_due_tests(context, interval, message.limit)
                .await?;
            Ok(ClaimDueTestsResponse {
                provider_key_ids: claimed.iter().map(ToString::to_string).collect(),
                claim_duration: Some(ProtoDuration {
                    seconds: CLAIM.as_secs(),
                    nanos: 0,
                }),
            })
        };
        self.answer(request, act).await
    }

    async fn check_leases(
        &self,
        request: Request<CheckLeasesRequest>,
    ) -> Result<Response<CheckLeasesResponse>, Status> {
        let act = async |core: &Core, context: &Context, message: CheckLeasesRequest| {
            let leases = decode::held_leases(message.leases);
            let (lease_ids, sequence) = core.check_leases(context, leases).await?;
            Ok(CheckLeasesResponse {
                lease_ids,
                sequence,
            })
        };
        self.answer(request, act).await
    }

    async fn list_key_concerns(
        &self,
        request: Request<ListKeyConcernsRequest>,
    ) -> Result<Response<ListKeyConcernsResponse>, Status> {
        let act = async |core: &Core, context: &Context, message: ListKeyConcernsRequest| {
            let (place, size) = decode::concerns(&message)?;
            let concerns = core.key_concerns(context, place, size).await?;
            Ok(encode::concerns(concerns, context.now))
        };
        self.answer(request, act).await
    }

    async fn report_key_outcome(
        &self,
        request: Request<ReportKeyOutcomeRequest>,
    ) -> Result<Response<ReportKeyOutcomeResponse>, Status> {
        let act = async |core: &Core, context: &Context, message| {
            let report = decode::report(message)?;
            let answer = |()| ReportKeyOutcomeResponse {};
            let stored = core
                .report_outcome(&command(context, &answer), &report)
                .await;
            stored.map(answer)
        };
        self.change(request, act).await
    }

    async fn rewrap_keys(
        &self,
        request: Request<RewrapKeysRequest>,
    ) -> Result<Response<Self::RewrapKeysStream>, Status> {
        let (context, message) = self.admit(request).await?;
        let (out, progress) = mpsc::channel(1);
        let core = std::sync::Arc::clone(&self.core);
        self.tracker
            .spawn(async move { core.rewrap(&context, message.limit, out).await });
        let progress = ReceiverStream::new(progress);
        let encode =
            |told: crate::error::Result<_>| told.map(encode::rewrap_progress).map_err(status);
        Ok(Response::new(progress.map(encode).boxed()))
    }

    async fn watch_changes(
        &self,
        request: Request<Streaming<WatchChangesRequest>>,
    ) -> Result<Response<Self::WatchChangesStream>, Status> {
        let (context, messages) = self.admit(request).await?;
        if context.peer != Peer::Router {
            return Err(status(VaultError::PeerNotAllowed));
        }
        // A broken stream is one that has ended.
        let confirmations = messages
            .take_while(|message| futures::future::ready(message.is_ok()))
            .filter_map(|message| async { message.ok().map(|m| m.acknowledged_sequence) });
        let (out, notices) = mpsc::channel(watch::QUEUE_MAX);
        let core = std::sync::Arc::clone(&self.core);
        self.tracker
            .spawn(watch::serve(core, confirmations.boxed(), out));
        let notices = ReceiverStream::new(notices).map(|notice| Ok(encode::notice(notice)));
        Ok(Response::new(notices.boxed()))
    }
}
