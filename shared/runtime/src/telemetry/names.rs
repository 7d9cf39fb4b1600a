//! The one table of names in traces: conventions move, so each is written down once. The shared ones
//! are OpenTelemetry's (general, HTTP and RPC: 1.44; generative AI: in development); what is ours
//! begins with `keyward.`.

use keyward_secret::redact_key_shapes;

/// The longest text of a caller that is shown: nobody's path or model has a longer name.
const SHOWN_CHARS_MAX: usize = 256;

/// The version of the conventions that the shared names are from.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// Why a step failed: a status, or a word of a bounded set.
pub const ERROR_TYPE: &str = "error.type";
/// The host that is called.
pub const SERVER_ADDRESS: &str = "server.address";
/// Its port.
pub const SERVER_PORT: &str = "server.port";

/// The method; one that is not known is [`OTHER`].
pub const HTTP_REQUEST_METHOD: &str = "http.request.method";
/// The route's pattern, never what a caller put into it.
pub const HTTP_ROUTE: &str = "http.route";
/// The status of the answer.
pub const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
/// `http` or `https`.
pub const URL_SCHEME: &str = "url.scheme";
/// The path, without a query and without what looks like a key.
pub const URL_PATH: &str = "url.path";
/// What stands for words that are not known.
pub const OTHER: &str = "_OTHER";

/// Always `grpc`.
pub const RPC_SYSTEM_NAME: &str = "rpc.system.name";
/// The value of [`RPC_SYSTEM_NAME`].
pub const GRPC: &str = "grpc";
/// `package.Service/Method`.
pub const RPC_METHOD: &str = "rpc.method";
/// The status by name, such as `OK`.
pub const RPC_RESPONSE_STATUS_CODE: &str = "rpc.response.status_code";

/// What is asked of a model.
pub const GEN_AI_OPERATION_NAME: &str = "gen_ai.operation.name";
/// A value of [`GEN_AI_OPERATION_NAME`].
pub const CHAT: &str = "chat";
/// The provider, as [`gen_ai_provider`] names it.
pub const GEN_AI_PROVIDER_NAME: &str = "gen_ai.provider.name";
/// The model that is asked for.
pub const GEN_AI_REQUEST_MODEL: &str = "gen_ai.request.model";
/// Whether a stream is asked for.
pub const GEN_AI_REQUEST_STREAM: &str = "gen_ai.request.stream";
/// The model that answered.
pub const GEN_AI_RESPONSE_MODEL: &str = "gen_ai.response.model";
/// Seconds until the first chunk of a stream.
pub const GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: &str = "gen_ai.response.time_to_first_chunk";
/// All input tokens, cached ones among them.
pub const GEN_AI_USAGE_INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// All output tokens, reasoning among them.
pub const GEN_AI_USAGE_OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// Input tokens read from the provider's cache.
pub const GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
/// Output tokens spent on reasoning.
pub const GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: &str = "gen_ai.usage.reasoning.output_tokens";

/// The roles of a process, of its resource.
pub const ROLES: &str = "keyward.roles";
/// The id of the request: `x-request-id` of the answer.
pub const REQUEST_ID: &str = "keyward.request.id";
/// Whether the caller left, or the answer broke off.
pub const CUT: &str = "keyward.cut";
/// The number of an attempt, from 1.
pub const ATTEMPT: &str = "keyward.attempt";
/// How many attempts there were.
pub const ATTEMPTS: &str = "keyward.attempts";
/// How an attempt ended: `ok`, `failed`, `cut`, `abandoned`, `hedged`.
pub const OUTCOME: &str = "keyward.outcome";
/// Why this candidate stands where it stands in the plan.
pub const CANDIDATE_REASON: &str = "keyward.candidate.reason";
/// The stored key's id; never the key.
pub const KEY_ID: &str = "keyward.key.id";
/// Whose key: `user`, `project`, `organization`, `system`, `inline`, some with `:openrouter`.
pub const KEY_SOURCE: &str = "keyward.key.source";
/// Whether it is the caller's own key.
pub const BYOK: &str = "keyward.byok";
/// Whether the platform's key serves in the stead of an own one.
pub const FALLBACK: &str = "keyward.fallback";
/// How the request stood with stored answers: `hit`, `miss`, `bypass`.
pub const CACHE: &str = "keyward.cache";
/// The tier of who pays.
pub const TIER: &str = "keyward.tier";
/// What was charged, in nano-credits.
pub const CREDITS_CHARGED: &str = "keyward.credits.charged_nanos";

/// A provider as the conventions name it; its own name where they do not.
pub fn gen_ai_provider(name: &str) -> &str {
    match name {
        "azure" => "azure.ai.openai",
        "bedrock" => "aws.bedrock",
        "google" => "gcp.gemini",
        "mistral" => "mistral_ai",
        "moonshot" => "moonshot_ai",
        "vertex" => "gcp.vertex_ai",
        "xai" => "x_ai",
        other => other,
    }
}

/// What a caller wrote, as it may stand in an attribute: without what looks like a key, and bounded.
pub fn shown(text: &str) -> String {
    let clean = redact_key_shapes(text);
    clean.chars().take(SHOWN_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::{SHOWN_CHARS_MAX, shown};

    #[test]
    fn what_a_caller_wrote_is_shown_without_keys_and_not_at_any_length() {
        assert_eq!(shown("openai/gpt-4o"), "openai/gpt-4o");
        assert_eq!(shown("/v1/models"), "/v1/models");
        assert!(!shown("sk-proj-0123456789abcdef").contains("0123456789"));
        assert!(!shown("/v1/kw_0123456789abcdef/x").contains("0123456789"));
        assert_eq!(shown(&"ä".repeat(500)).chars().count(), SHOWN_CHARS_MAX);
    }
}
