//! The methods that change something, and their `request_id`s: the same request again gets the
//! first answer.

use keyward_proto::REPLAYED;
use keyward_proto::vault::v1 as proto;
use prost::Message;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

use super::{VaultGrpc, status};
use crate::app::{AskedChange, Command, Context, Core};
use crate::error::{Result, VaultError};

/// A request that changes something.
pub(super) trait Change: Message {
    /// What it is answered with.
    type Answer: Message + Default;
    /// The method that it is the request of.
    const METHOD: &'static str;
    /// Whether its answer holds a secret.
    const IS_SECRET: bool;

    /// What the caller calls it.
    fn request_id(&self) -> &str;

    /// Where its answer says how many watchers have not confirmed the change, if it does: that is
    /// how it stands when the answer is given, not when the change was made.
    fn laggards(answer: &mut Self::Answer) -> Option<&mut u32>;
}

/// Makes requests changes; behind an answer, what is special about it.
macro_rules! changes {
    ($($method:literal: $request:ident => $answer:ident $([$special:ident])?;)+) => {$(
        impl Change for proto::$request {
            type Answer = proto::$answer;
            const METHOD: &'static str = $method;
            const IS_SECRET: bool = is_secret!($($special)?);

            fn request_id(&self) -> &str {
                &self.request_id
            }

            fn laggards(answer: &mut proto::$answer) -> Option<&mut u32> {
                laggards!(answer $($special)?)
            }
        }
    )+};
}

macro_rules! is_secret {
    (secret) => {
        true
    };
    ($($other:ident)?) => {
        false
    };
}

macro_rules! laggards {
    ($answer:ident laggards) => {
        Some(&mut $answer.laggards)
    };
    ($answer:ident $($other:ident)?) => {{
        let _ = $answer;
        None
    }};
}

changes! {
    "CreateUser": CreateUserRequest => CreateUserResponse;
    "UpdateUser": UpdateUserRequest => UpdateUserResponse;
    "DeleteUser": DeleteUserRequest => DeleteUserResponse [laggards];
    "CreateOrganization": CreateOrganizationRequest => CreateOrganizationResponse;
    "UpdateOrganization": UpdateOrganizationRequest => UpdateOrganizationResponse;
    "DeleteOrganization": DeleteOrganizationRequest => DeleteOrganizationResponse [laggards];
    "CreateProject": CreateProjectRequest => CreateProjectResponse;
    "UpdateProject": UpdateProjectRequest => UpdateProjectResponse;
    "DeleteProject": DeleteProjectRequest => DeleteProjectResponse [laggards];
    "SetMember": SetMemberRequest => SetMemberResponse;
    "RemoveMember": RemoveMemberRequest => RemoveMemberResponse [laggards];
    "CreateAccessKey": CreateAccessKeyRequest => CreateAccessKeyResponse [secret];
    "RevokeAccessKey": RevokeAccessKeyRequest => RevokeAccessKeyResponse [laggards];
    "CreateProviderKey": CreateProviderKeyRequest => CreateProviderKeyResponse;
    "ImportProviderKey": ImportProviderKeyRequest => ImportProviderKeyResponse;
    "UpdateProviderKey": UpdateProviderKeyRequest => UpdateProviderKeyResponse [laggards];
    "RotateProviderKey": RotateProviderKeyRequest => RotateProviderKeyResponse [laggards];
    "DeleteProviderKey": DeleteProviderKeyRequest => DeleteProviderKeyResponse [laggards];
    "AddMasterKey": AddMasterKeyRequest => AddMasterKeyResponse;
    "ActivateMasterKey": ActivateMasterKeyRequest => ActivateMasterKeyResponse;
    "RetireMasterKey": RetireMasterKeyRequest => RetireMasterKeyResponse;
    "DestroyMasterKey": DestroyMasterKeyRequest => DestroyMasterKeyResponse;
    "SealVault": SealVaultRequest => SealVaultResponse [laggards];
    "UnsealVault": UnsealVaultRequest => UnsealVaultResponse;
    "ReportKeyOutcome": ReportKeyOutcomeRequest => ReportKeyOutcomeResponse;
}

/// The use case's view of a change whose answer `answer` makes.
pub(super) fn command<'a, T, A: Message>(
    context: &'a Context,
    answer: &'a (impl Fn(T) -> A + Send + Sync),
) -> Command<'a, T> {
    Command::new(context, move |outcome| encoded(&answer(outcome)))
}

/// Sized beforehand: growing would leave copies of a secret behind.
fn encoded(message: &impl Message) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(message.encode_to_vec())
}

/// An answer that was given before, marked as one.
fn replayed<A>(answer: A) -> Response<A> {
    let mut response = Response::new(answer);
    let yes = MetadataValue::from_static("true");
    response.metadata_mut().insert(REPLAYED, yes);
    response
}

impl VaultGrpc {
    /// Answers a request to change something: as the first time, if it was answered before, else
    /// with what `act` makes of it.
    pub(super) async fn change<M: Change>(
        &self,
        request: Request<M>,
        act: impl AsyncFnOnce(&Core, &Context, M) -> Result<M::Answer>,
    ) -> std::result::Result<Response<M::Answer>, Status> {
        let (context, message) = self.admit(request).await?;
        let answered = self.answer_once(context, message, act).await;
        answered.map_err(status)
    }

    async fn answer_once<M: Change>(
        &self,
        mut context: Context,
        message: M,
        act: impl AsyncFnOnce(&Core, &Context, M) -> Result<M::Answer>,
    ) -> Result<Response<M::Answer>> {
        let asked = AskedChange {
            method: M::METHOD,
            request_id: message.request_id(),
            message: &encoded(&message),
            is_secret: M::IS_SECRET,
        };
        context.memory = self.core.memory(&context, asked)?;
        let _turn = self.core.turn(&context).await;
        match self.core.replay(&context).await? {
            Some(answer) => self.again::<M>(&answer).await.map(replayed),
            None => act(&self.core, &context, message).await.map(Response::new),
        }
    }

    async fn again<M: Change>(&self, answer: &[u8]) -> Result<M::Answer> {
        let malformed = |_| VaultError::Internal("a remembered answer is malformed");
        let mut answer = M::Answer::decode(answer).map_err(malformed)?;
        if let Some(laggards) = M::laggards(&mut answer) {
            *laggards = self.core.laggards_now().await?;
        }
        Ok(answer)
    }
}
