//! Turns credentials into callers: has the vault exchange them for grants, keeps what it learnt for
//! less than a grant lives, and forgets it when told.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use keyward_proto::vault::v1::identity_service_client::IdentityServiceClient;
use keyward_proto::vault::v1::{ExchangeCredentialRequest, GetGrantKeysRequest, GrantKey};
use keyward_runtime::error::{Reason, status};
use keyward_runtime::time;
use keyward_secret::Secret;
use moka::future::Cache;
use ring::digest::{Context, SHA256};
use tonic::Status;

use crate::access_key;
use crate::caller::Caller;
use crate::connection::Connection;
use crate::grant::{GrantError, GrantToken, GrantVerifier};

/// How long a caller is kept: shorter than a grant lives, so that one that is forwarded has 15 s
/// left for the call.
const CALLER_TTL: Duration = Duration::from_secs(45);

/// How many callers are kept: some kilobytes each.
const CALLERS_MAX: u64 = 20_000;

/// What the vault gives for a credential.
#[derive(Debug, Clone)]
pub struct Exchanged {
    /// The grant.
    pub grant: GrantToken,
    /// The keys by which grants are verified.
    pub keys: Vec<GrantKey>,
}

/// Exchanges credentials for grants: the vault itself, or a client of it.
#[async_trait]
pub trait CredentialExchanger: Send + Sync + 'static {
    /// Exchanges a credential; `organization` says which to act in, empty for its own.
    ///
    /// # Errors
    /// A status: unauthenticated for a credential that is none, unavailable if nobody can tell.
    async fn exchange(&self, credential: &Secret, organization: &str) -> Result<Exchanged, Status>;

    /// The keys by which grants are verified.
    ///
    /// # Errors
    /// A status if they cannot be had.
    async fn grant_keys(&self) -> Result<Vec<GrantKey>, Status>;
}

/// How long the vault is waited for: it answers from its own store, so after this it is away.
const EXCHANGE_WAIT: Duration = Duration::from_secs(2);

/// Exchanges by asking the vault.
#[derive(Clone, Debug)]
pub struct RemoteExchanger {
    client: IdentityServiceClient<Connection>,
}

impl RemoteExchanger {
    /// Asks the vault at the end of `vault`.
    pub fn new(vault: Connection) -> Self {
        Self {
            client: IdentityServiceClient::new(vault),
        }
    }
}

#[async_trait]
impl CredentialExchanger for RemoteExchanger {
    async fn exchange(&self, credential: &Secret, organization: &str) -> Result<Exchanged, Status> {
        let request = ExchangeCredentialRequest {
            credential: credential.expose().to_owned(),
            organization: organization.to_owned(),
        };
        let mut client = self.client.clone();
        let response = answered(client.exchange_credential(request))
            .await?
            .into_inner();
        Ok(Exchanged {
            grant: GrantToken::new(&response.grant),
            keys: response.grant_keys,
        })
    }

    async fn grant_keys(&self) -> Result<Vec<GrantKey>, Status> {
        let mut client = self.client.clone();
        let response = answered(client.get_grant_keys(GetGrantKeysRequest {})).await?;
        Ok(response.into_inner().grant_keys)
    }
}

/// A vault that is cut off without a word is told from one that answers by time alone.
async fn answered<T>(
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<tonic::Response<T>, Status> {
    let waited = tokio::time::timeout(EXCHANGE_WAIT, call).await;
    waited.unwrap_or_else(|_| {
        let message = "the vault does not answer";
        Err(status(Reason::Overloaded, message, Vec::new()))
    })
}

/// Knows callers by credential or grant. Clones share what they know.
#[derive(Clone)]
pub struct Authenticator {
    exchanger: Arc<dyn CredentialExchanger>,
    verifier: Arc<GrantVerifier>,
    /// By SHA-256 of credential and organisation.
    by_credential: Cache<[u8; 32], Arc<Known>>,
    /// By SHA-256 of the grant: checking a signature costs more than the rest of a call.
    by_grant: Cache<[u8; 32], Caller>,
    /// Counts how often something was to be forgotten.
    forgettings: Arc<AtomicU64>,
}

/// What an exchange brought.
struct Known {
    caller: Caller,
    /// How often something had been forgotten when it was asked for.
    asked_after: u64,
    /// Whether it was found in its cache with nothing forgotten since it was asked for: from then on
    /// forgetting finds it there.
    settled: AtomicBool,
}

impl Authenticator {
    /// An authenticator that knows nobody yet.
    pub fn new(exchanger: Arc<dyn CredentialExchanger>) -> Self {
        let cache = Cache::builder()
            .max_capacity(CALLERS_MAX)
            .time_to_live(CALLER_TTL);
        let by_grant = Cache::builder()
            .max_capacity(CALLERS_MAX)
            .time_to_live(CALLER_TTL)
            .build();
        Self {
            exchanger,
            verifier: Arc::new(GrantVerifier::new()),
            by_credential: cache.support_invalidation_closures().build(),
            by_grant,
            forgettings: Arc::default(),
        }
    }

    /// The caller with this credential.
    ///
    /// # Errors
    /// Unauthenticated if it is none; unavailable if the vault cannot be asked.
    pub async fn by_credential(
        &self,
        credential: &Secret,
        organization: &str,
    ) -> Result<Caller, Status> {
        if !access_key::is_well_formed(credential.expose()) {
            return Err(invalid_access_key());
        }
        let key = fingerprint(&[credential.expose_bytes(), organization.as_bytes()]);
        let exchange = async { self.exchange(credential, organization).await.map(Arc::new) };
        // Callers who come at the same time wait for one exchange. Refusals are not kept.
        let known = self.by_credential.try_get_with(key, exchange).await;
        let known = known.map_err(|status: Arc<Status>| Status::clone(&status))?;
        if self.is_settled(&known) {
            return Ok(known.caller.clone());
        }
        // Something was forgotten while this was on its way, and it may be what was forgotten.
        self.by_credential.invalidate(&key).await;
        let known = self.exchange(credential, organization).await?;
        Ok(known.caller)
    }

    async fn exchange(&self, credential: &Secret, organization: &str) -> Result<Known, Status> {
        let asked_after = self.forgettings.load(Ordering::SeqCst);
        let exchanged = self.exchanger.exchange(credential, organization).await?;
        self.verifier.learn(&exchanged.keys);
        let caller = self.read(&exchanged.grant).map_err(|error| {
            tracing::error!(%error, "the vault gave a grant that does not verify");
            status(Reason::Internal, "an internal error occurred", Vec::new())
        })?;
        Ok(Known {
            caller,
            asked_after,
            settled: AtomicBool::new(false),
        })
    }

    /// Looked at only once it is in its cache, so that what forgets later finds it there.
    fn is_settled(&self, known: &Known) -> bool {
        if known.settled.load(Ordering::SeqCst) {
            return true;
        }
        let settled = known.asked_after == self.forgettings.load(Ordering::SeqCst);
        known.settled.fetch_or(settled, Ordering::SeqCst);
        settled
    }

    /// The caller whom a forwarded grant states.
    ///
    /// # Errors
    /// Unauthenticated if the grant is none of the vault's, or has ended.
    pub async fn by_grant(&self, grant: &str) -> Result<Caller, Status> {
        let key = fingerprint(&[grant.as_bytes()]);
        if let Some(known) = self.by_grant.get(&key).await {
            // Kept for less time than it is valid, but it may have been old when it came.
            return match time::now() < known.expires {
                true => Ok(known),
                false => Err(invalid_grant(GrantError::NotValidNow)),
            };
        }
        let token = GrantToken::new(grant);
        let caller = match self.read(&token) {
            Err(GrantError::BadSignature) => {
                self.verifier.learn(&self.exchanger.grant_keys().await?);
                self.read(&token)
            }
            read => read,
        }
        .map_err(invalid_grant)?;
        self.by_grant.insert(key, caller.clone()).await;
        Ok(caller)
    }

    /// Forgets the callers with this access key, also those whose exchange is on its way.
    pub fn forget_access_key(&self, access_key_id: &str) {
        self.forgettings.fetch_add(1, Ordering::SeqCst);
        let id = access_key_id.to_owned();
        // Fails only where invalidation closures are not supported, in which case all is forgotten.
        let with_id =
            move |_: &[u8; 32], known: &Arc<Known>| known.caller.principal.access_key_id == id;
        if self.by_credential.invalidate_entries_if(with_id).is_err() {
            self.forget_all();
        }
    }

    /// Forgets everybody, also those whose exchange is on its way.
    pub fn forget_all(&self) {
        self.forgettings.fetch_add(1, Ordering::SeqCst);
        self.by_credential.invalidate_all();
    }

    fn read(&self, token: &GrantToken) -> Result<Caller, GrantError> {
        let verified = self.verifier.verify(token.as_str(), time::now())?;
        Ok(Caller {
            principal: Arc::new(verified.principal),
            grant: token.clone(),
            grant_id: verified.grant_id.into(),
            expires: verified.expires,
        })
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").finish_non_exhaustive()
    }
}

fn fingerprint(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(context.finish().as_ref());
    fingerprint
}

/// The one refusal of a credential, whatever is wrong with it.
pub(crate) fn invalid_access_key() -> Status {
    status(
        Reason::InvalidAccessKey,
        "the access key is missing, wrong, expired or revoked",
        Vec::new(),
    )
}

fn invalid_grant(error: GrantError) -> Status {
    status(Reason::InvalidAccessKey, &error.to_string(), Vec::new())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::Semaphore;

    use super::*;
    use crate::grant::GrantSigner;
    use crate::principal::{AccessKeyLimits, Principal, Scopes};

    /// A vault that answers one exchange for each permit, and refuses once the key is revoked.
    struct SlowVault {
        signer: GrantSigner,
        asked: AtomicUsize,
        permits: Semaphore,
        revoked: AtomicBool,
    }

    #[async_trait]
    impl CredentialExchanger for Arc<SlowVault> {
        async fn exchange(&self, _: &Secret, _: &str) -> Result<Exchanged, Status> {
            if self.revoked.load(Ordering::SeqCst) {
                return Err(invalid_access_key());
            }
            let principal = Principal {
                access_key_id: "ak".to_owned(),
                user: None,
                organization: None,
                project: None,
                organization_role: None,
                scopes: Scopes::all(),
                tier: "trial".to_owned(),
                allowed_models: Vec::new(),
                limits: AccessKeyLimits::default(),
                cache: None,
            };
            let grant = self.signer.sign("g", &principal, time::now());
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.permits.acquire().await.unwrap().forget();
            let keys = self.grant_keys().await?;
            Ok(Exchanged { grant, keys })
        }

        async fn grant_keys(&self) -> Result<Vec<GrantKey>, Status> {
            Ok(vec![self.signer.grant_key()])
        }
    }

    fn setup(permits: usize) -> (Arc<SlowVault>, Authenticator, Secret) {
        let vault = Arc::new(SlowVault {
            signer: GrantSigner::from_seed("s", &[7; 32]).unwrap(),
            asked: AtomicUsize::new(0),
            permits: Semaphore::new(permits),
            revoked: AtomicBool::new(false),
        });
        let authenticator = Authenticator::new(Arc::new(Arc::clone(&vault)));
        (vault, authenticator, access_key::generate().unwrap())
    }

    #[tokio::test]
    async fn a_caller_is_exchanged_once_and_again_when_forgotten() {
        let (vault, authenticator, key) = setup(9);
        for _ in 0..3 {
            authenticator.by_credential(&key, "").await.unwrap();
        }
        assert_eq!(vault.asked.load(Ordering::SeqCst), 1);
        authenticator.forget_access_key("another");
        authenticator.by_credential(&key, "").await.unwrap();
        assert_eq!(vault.asked.load(Ordering::SeqCst), 1);
        authenticator.forget_access_key("ak");
        authenticator.by_credential(&key, "").await.unwrap();
        assert_eq!(vault.asked.load(Ordering::SeqCst), 2);
        authenticator.forget_all();
        authenticator.by_credential(&key, "").await.unwrap();
        assert_eq!(vault.asked.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn an_exchange_that_a_revocation_overtakes_is_not_kept() {
        let forget: [fn(&Authenticator); 2] =
            [|all| all.forget_access_key("ak"), Authenticator::forget_all];
        for forget in forget {
            let (vault, authenticator, key) = setup(0);
            let revoking = async {
                while vault.asked.load(Ordering::SeqCst) == 0 {
                    tokio::task::yield_now().await;
                }
                vault.revoked.store(true, Ordering::SeqCst);
                forget(&authenticator);
                vault.permits.add_permits(9);
            };
            let (overtaken, ()) = tokio::join!(authenticator.by_credential(&key, ""), revoking);
            assert!(overtaken.is_err());
            assert!(authenticator.by_credential(&key, "").await.is_err());
        }
    }
}
