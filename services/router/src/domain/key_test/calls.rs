//! What is asked of which provider, as data: its cheapest call that needs the key.

use keyward_catalog::Dialect;
use url::Url;

use crate::domain::providers::OPENROUTER;
use crate::domain::wire::{self, KeyHeader};

/// Who tells the balance of its accounts.
const DEEPSEEK: &str = "deepseek";

/// What hangs on a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It decides.
    Decides,
    /// It decides where the call before it found nothing at its address.
    DecidesInstead,
    /// It adds to what is known of a key that is accepted; its failure says nothing.
    Adds,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestCall {
    /// Where to.
    pub(crate) url: String,
    /// What hangs on it.
    pub(crate) weight: Weight,
}

/// All that is asked of a provider, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestPlan {
    /// How the key is shown.
    pub(crate) key: KeyHeader,
    /// A header that the provider needs besides.
    pub(crate) besides: Option<(&'static str, &'static str)>,
    /// The calls.
    pub(crate) calls: Vec<TestCall>,
}

/// What to ask of a provider at `base`. The sandbox is asked in process, and has no calls.
pub(crate) fn plan(provider: &str, dialect: Dialect, base: &Url, api_version: &str) -> TestPlan {
    use Weight::{Adds, Decides, DecidesInstead};
    let paths: &[(&str, Weight)] = match (dialect, provider) {
        (Dialect::Anthropic, _) => &[("/v1/models?limit=1000", Decides)],
        (Dialect::Google, _) => &[("/v1beta/models?pageSize=1000", Decides)],
        // Newer versions of the interface list models, and no deployments.
        (Dialect::Azure, _) => &[
            ("/openai/deployments", Decides),
            ("/openai/models", DecidesInstead),
        ],
        // Its list of models needs no key.
        (_, OPENROUTER) => &[("/key", Decides), ("/credits", Adds)],
        (_, DEEPSEEK) => &[("/models", Decides), ("/user/balance", Adds)],
        (Dialect::OpenAi | Dialect::Sandbox, _) => &[("/models", Decides)],
    };
    let query = match dialect {
        Dialect::Azure => format!("?api-version={api_version}"),
        _ => String::new(),
    };
    let origin = base.origin().ascii_serialization();
    let root = base.path().trim_end_matches('/');
    let call = |(path, weight): &(&str, Weight)| TestCall {
        url: format!("{origin}{root}{path}{query}"),
        weight: *weight,
    };
    TestPlan {
        key: wire::key_header(dialect),
        besides: wire::besides(dialect),
        calls: paths.iter().map(call).collect(),
    }
}
