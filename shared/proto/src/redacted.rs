//! `Debug` of the messages that carry a secret or a body: it names the message and what is harmless
//! in it, never the rest. The one that carries an opened key overwrites it.

mod chat;

use std::fmt;

use zeroize::Zeroize as _;

use crate::metering::v1 as metering;
use crate::router::v1 as router;
use crate::vault::v1 as vault;

/// What stands in place of a secret.
const REDACTED: &str = "[redacted]";

impl fmt::Debug for vault::CreateProviderKeyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateProviderKeyRequest")
            .field("request_id", &self.request_id)
            .field("owner", &self.owner)
            .field("provider", &self.provider)
            .field("key", &REDACTED)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for vault::CheckProviderKeyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckProviderKeyRequest")
            .field("owner", &self.owner)
            .field("provider", &self.provider)
            .field("key", &REDACTED)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for vault::UpdateProviderKeyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateProviderKeyRequest")
            .field("request_id", &self.request_id)
            .field("provider_key", &self.provider_key)
            .field("update_mask", &self.update_mask)
            .field("key", &REDACTED)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for vault::ImportProviderKeyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportProviderKeyRequest")
            .field("request_id", &self.request_id)
            .field("owner", &self.owner)
            .field("provider", &self.provider)
            .field("fernet_token", &REDACTED)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for vault::RotateProviderKeyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotateProviderKeyRequest")
            .field("request_id", &self.request_id)
            .field("provider_key_id", &self.provider_key_id)
            .field("key", &REDACTED)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for vault::UnsealProviderKeyResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsealProviderKeyResponse")
            .field("secret", &REDACTED)
            .field("version", &self.version)
            .field("lease_id", &self.lease_id)
            .finish_non_exhaustive()
    }
}

/// The secret is overwritten wherever the answer ends: encoded, taken over, or given up half-way.
impl Drop for vault::UnsealProviderKeyResponse {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl fmt::Debug for vault::ExchangeCredentialRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExchangeCredentialRequest")
            .field("credential", &REDACTED)
            .field("organization", &self.organization)
            .finish()
    }
}

impl fmt::Debug for vault::ExchangeCredentialResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExchangeCredentialResponse")
            .field("grant", &REDACTED)
            .field("grant_keys", &self.grant_keys)
            .finish()
    }
}

impl fmt::Debug for vault::CreateAccessKeyResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateAccessKeyResponse")
            .field("access_key", &self.access_key)
            .field("secret", &REDACTED)
            .finish()
    }
}

impl fmt::Debug for metering::CreateWebhookResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateWebhookResponse")
            .field("webhook", &self.webhook)
            .field("secret", &REDACTED)
            .finish()
    }
}

impl fmt::Debug for router::RoutingOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inline_key = if self.inline_key.is_empty() {
            "none"
        } else {
            REDACTED
        };
        f.debug_struct("RoutingOptions")
            .field("inline_key", &inline_key)
            .field("byok_provider", &self.byok_provider)
            .field("fallback", &self.fallback)
            .field("fallback_max_charge_nanos", &self.fallback_max_charge_nanos)
            .field("task", &self.task)
            .field("caching", &self.caching)
            .finish()
    }
}

impl fmt::Debug for router::UnsavedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsavedKey")
            .field("owner", &self.owner)
            .field("provider", &self.provider)
            .field("key", &REDACTED)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for router::InvokeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvokeRequest")
            .field("part", &self.part)
            .finish()
    }
}

impl fmt::Debug for router::invoke_request::Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => f.debug_tuple("Head").field(head).finish(),
            Self::Chunk(chunk) => write!(f, "Chunk({} bytes)", chunk.len()),
            Self::End(_) => f.write_str("End"),
        }
    }
}

impl fmt::Debug for router::InvokeResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvokeResponse")
            .field("part", &self.part)
            .finish()
    }
}

impl fmt::Debug for router::invoke_response::Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => f.debug_tuple("Head").field(head).finish(),
            Self::Chunk(chunk) => write!(f, "Chunk({} bytes)", chunk.len()),
            Self::Summary(summary) => f.debug_tuple("Summary").field(summary).finish(),
        }
    }
}

impl fmt::Debug for router::ResolveRouteRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolveRouteRequest")
            .field("model", &self.model)
            .field("endpoint", &self.endpoint)
            .field("options", &self.options)
            .field("models", &self.models)
            .field("provider_preferences", &self.provider_preferences)
            .field("tags", &self.tags)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}
