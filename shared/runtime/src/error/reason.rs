//! The one table: reason ↔ gRPC code ↔ HTTP status ↔ OpenAI's `type` and our `code`.

use tonic::Code;

/// Declares the table's rows, one line each.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $code:ident, $http:literal, $kind:literal, $openai:literal;)*) => {
        /// Why a call failed: the rows of the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason, in the table's order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The reason as in `google.rpc.ErrorInfo`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The gRPC status code.
            pub const fn grpc_code(self) -> Code {
                match self { $(Self::$variant => Code::$code,)* }
            }

            /// The HTTP status.
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $http,)* }
            }

            /// The `type` of OpenAI's error form, by which SDKs and their users tell kinds apart.
            pub const fn openai_type(self) -> &'static str {
                match self { $(Self::$variant => $kind,)* }
            }

            /// The `code` of OpenAI's error form.
            pub const fn openai_code(self) -> &'static str {
                match self { $(Self::$variant => $openai,)* }
            }
        }
    };
}

reasons! {
    /// The request is malformed; `param` says where.
    InvalidRequest = "INVALID_REQUEST", InvalidArgument, 400, "invalid_request_error", "invalid_request";
    /// The request asks for something that the target cannot do.
    UnsupportedParameter = "UNSUPPORTED_PARAMETER", InvalidArgument, 400, "invalid_request_error", "unsupported_parameter";
    /// The body or a header is larger than allowed.
    RequestTooLarge = "REQUEST_TOO_LARGE", OutOfRange, 413, "invalid_request_error", "request_too_large";
    /// There is no such thing, or not for this caller.
    NotFound = "NOT_FOUND", NotFound, 404, "invalid_request_error", "not_found";
    /// The method is not one of those that the address has.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", Unimplemented, 405, "invalid_request_error", "method_not_allowed";
    /// It exists already.
    AlreadyExists = "ALREADY_EXISTS", AlreadyExists, 409, "invalid_request_error", "already_exists";
    /// The thing has changed since the caller read it.
    PreconditionFailed = "PRECONDITION_FAILED", FailedPrecondition, 412, "invalid_request_error", "precondition_failed";
    /// Where a provider key is sent changes only with the key itself.
    SecretRequired = "SECRET_REQUIRED", FailedPrecondition, 412, "invalid_request_error", "precondition_failed";
    /// The same idempotency key is being worked on.
    IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS", Aborted, 409, "invalid_request_error", "idempotency_in_progress";
    /// The same idempotency key came with something else.
    IdempotencyMismatch = "IDEMPOTENCY_MISMATCH", FailedPrecondition, 422, "invalid_request_error", "idempotency_mismatch";
    /// The access key is missing, wrong, expired or revoked.
    InvalidAccessKey = "INVALID_ACCESS_KEY", Unauthenticated, 401, "authentication_error", "invalid_access_key";
    /// The access key or role does not let its bearer do this.
    InsufficientScope = "INSUFFICIENT_SCOPE", PermissionDenied, 403, "permission_error", "insufficient_scope";
    /// The calling service may not call this method.
    PeerNotAllowed = "PEER_NOT_ALLOWED", PermissionDenied, 403, "permission_error", "insufficient_scope";
    /// The calling service shows a certificate that is no role's.
    PeerUnknown = "PEER_UNKNOWN", Unauthenticated, 500, "server_error", "internal_error";
    /// The access key may not name this model.
    ModelNotAllowed = "MODEL_NOT_ALLOWED", PermissionDenied, 403, "permission_error", "model_not_allowed";
    /// The balance does not cover the request.
    InsufficientCredits = "INSUFFICIENT_CREDITS", FailedPrecondition, 402, "insufficient_quota", "insufficient_credits";
    /// A fallback to credits would cost more than its cap.
    FallbackCapExceeded = "FALLBACK_CAP_EXCEEDED", FailedPrecondition, 402, "insufficient_quota", "insufficient_credits";
    /// Nobody knows this model.
    ModelNotFound = "MODEL_NOT_FOUND", NotFound, 404, "invalid_request_error", "model_not_found";
    /// The model is known, but no key may serve it; the message says which would.
    NoKeyForModel = "NO_KEY_FOR_MODEL", NotFound, 404, "invalid_request_error", "no_key_for_model";
    /// A budget is used up.
    BudgetExceeded = "BUDGET_EXCEEDED", ResourceExhausted, 429, "insufficient_quota", "budget_exceeded";
    /// A limit of the platform or of the access key applies.
    RateLimitExceeded = "RATE_LIMIT_EXCEEDED", ResourceExhausted, 429, "rate_limit_error", "rate_limit_exceeded";
    /// The provider refused the caller's own key.
    ProviderKeyRejected = "PROVIDER_KEY_REJECTED", FailedPrecondition, 401, "authentication_error", "provider_key_rejected";
    /// The caller's own key has no credit left at its provider.
    ProviderQuotaExhausted = "PROVIDER_QUOTA_EXHAUSTED", FailedPrecondition, 402, "insufficient_quota", "provider_quota_exhausted";
    /// The provider limits the caller's own key.
    ProviderRateLimited = "PROVIDER_RATE_LIMITED", ResourceExhausted, 429, "rate_limit_error", "provider_rate_limited";
    /// The key is of another provider than the model.
    ProviderKeyMismatch = "PROVIDER_KEY_MISMATCH", InvalidArgument, 400, "invalid_request_error", "provider_key_mismatch";
    /// The caller's own key cannot be opened; nothing else is tried by itself.
    ProviderKeyUnavailable = "PROVIDER_KEY_UNAVAILABLE", DataLoss, 503, "server_error", "provider_key_unavailable";
    /// The provider failed.
    UpstreamError = "UPSTREAM_ERROR", Unavailable, 502, "server_error", "upstream_error";
    /// The provider did not answer in time.
    UpstreamTimeout = "UPSTREAM_TIMEOUT", DeadlineExceeded, 504, "server_error", "upstream_timeout";
    /// We cannot serve this now; later perhaps.
    Overloaded = "OVERLOADED", Unavailable, 503, "server_error", "overloaded";
    /// The vault is sealed: no key is opened until an operator unseals it.
    VaultSealed = "VAULT_SEALED", Unavailable, 503, "server_error", "overloaded";
    /// A router asked for more distinct provider keys within a minute than it may have.
    SecretCeiling = "SECRET_CEILING", ResourceExhausted, 503, "server_error", "overloaded";
    /// No audit event can be written, so no key is given out and nothing is changed.
    AuditUnavailable = "AUDIT_UNAVAILABLE", Unavailable, 503, "server_error", "overloaded";
    /// A data key has sealed as much as it may, and cannot be replaced now.
    SealsExhausted = "SEALS_EXHAUSTED", ResourceExhausted, 503, "server_error", "overloaded";
    /// A fault of ours.
    Internal = "INTERNAL", Internal, 500, "server_error", "internal_error";
}

impl Reason {
    /// The `type` of Anthropic's error form.
    pub const fn anthropic_type(self) -> &'static str {
        match self.http_status() {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            503 => "overloaded_error",
            504 => "timeout_error",
            400..=499 => "invalid_request_error",
            _ => "api_error",
        }
    }

    /// The `status` of Google's error form.
    pub const fn google_status(self) -> &'static str {
        match self.http_status() {
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            405 => "UNIMPLEMENTED",
            409 => "ALREADY_EXISTS",
            412 => "FAILED_PRECONDITION",
            402 | 429 => "RESOURCE_EXHAUSTED",
            400..=499 => "INVALID_ARGUMENT",
            502 | 503 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            _ => "INTERNAL",
        }
    }

    /// The reason of that name, as in `google.rpc.ErrorInfo`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.as_str() == name)
    }

    /// Whether repeating the same request can help. SDKs repeat 408, 409, 429 and 5xx unless told
    /// otherwise (`x-should-retry: false`).
    pub const fn retry_is_pointless(self) -> bool {
        !matches!(
            self,
            Self::RateLimitExceeded
                | Self::ProviderRateLimited
                | Self::IdempotencyInProgress
                | Self::UpstreamError
                | Self::UpstreamTimeout
                | Self::Overloaded
                | Self::SecretCeiling
                | Self::VaultSealed
                | Self::AuditUnavailable
                | Self::SealsExhausted
                | Self::Internal
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Reason;

    #[test]
    fn each_reason_has_a_name_of_its_own() {
        let names: HashSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(Reason::from_name(reason.as_str()), Some(*reason));
        }
    }

    #[test]
    fn statuses_and_types_agree() {
        for reason in Reason::ALL {
            let server_fault = reason.http_status() >= 500;
            assert_eq!(
                server_fault,
                reason.openai_type() == "server_error",
                "{reason:?}"
            );
        }
    }
}
