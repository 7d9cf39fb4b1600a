//! What is asked of which provider, as data: its cheapest call that needs the key.

use keyward_catalog::Dialect;
use url::Url;

use crate::domain::providers::OPENROUTER;

/// Who tells the balance of its accounts.
const DEEPSEEK: &str = "deepseek";

/// Which version of its interface Anthropic is asked by.
const ANTHROPIC_VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

/// How a key is shown: in a header, never in an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyHeader {
    /// Its name.
    pub(crate) name: &'static str,
    /// What stands in front of the key.
    pub(crate) scheme: &'static str,
}

const BEARER: KeyHeader = KeyHeader {
    name: "authorization",
    scheme: "Bearer ",
};

const fn bare(name: &'static str) -> KeyHeader {
    KeyHeader { name, scheme: "" }
}

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
    let (key, besides, paths): (_, _, &[(&str, Weight)]) = match (dialect, provider) {
        (Dialect::Anthropic, _) => (
            bare("x-api-key"),
            Some(ANTHROPIC_VERSION),
            &[("/v1/models?limit=1000", Decides)],
        ),
        (Dialect::Google, _) => (
            bare("x-goog-api-key"),
            None,
            &[("/v1beta/models?pageSize=1000", Decides)],
        ),
        (Dialect::Azure, _) => (
            bare("api-key"),
            None,
            // Newer versions of the interface list models, and no deployments.
            &[
                ("/openai/deployments", Decides),
                ("/openai/models", DecidesInstead),
            ],
        ),
        // Its list of models needs no key.
        (_, OPENROUTER) => (BEARER, None, &[("/key", Decides), ("/credits", Adds)]),
        (_, DEEPSEEK) => (
            BEARER,
            None,
            &[("/models", Decides), ("/user/balance", Adds)],
        ),
        (Dialect::OpenAi | Dialect::Sandbox, _) => (BEARER, None, &[("/models", Decides)]),
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
        key,
        besides,
        calls: paths.iter().map(call).collect(),
    }
}
