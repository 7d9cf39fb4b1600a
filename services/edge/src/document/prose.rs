//! What the document says about the API as a whole.

use serde_json::{Value, json};

const DESCRIPTION: &str = "\
Keyward keeps the provider keys of users, projects and organizations, decides whose key serves each \
request to a model, and charges credits only where the platform's own key served.

* **Credential.** An access key, `kw_…`, in `Authorization: Bearer`, `x-api-key` or `x-goog-api-key`, \
where Gemini's form is spoken in the query's `key` too. \
An access key acts as its user, in at most one organization; `x-keyward-organization` says in which \
where there are several.
* **Own things** need no parameter. `user`, `organization` and `account` name another's, for those who \
may. What is not yours is a 404, as if it were not there.
* **Amounts** are decimal strings in credits, times RFC 3339, counts numbers.
* **Lists** come in pages: go on with `page_token` until `next_page_token` is empty.
* **Changes.** A `POST` with an `Idempotency-Key` is done once, however often it is sent. A resource \
that can be changed has an `ETag`; `If-Match` changes it only if nobody else has.
* **Errors** have OpenAI's form; Anthropic's under `/v1/messages`, Google's under `/v1beta` and where models are called under `/v1/models`. Fields and parameters that nobody knows are refused by name. A method \
that an address does not know is a 405 with `Allow`.
* **Models.** `/v1` is also found under `/api/v1/llm`.
";

/// What it is called, and what there is to know first.
pub(super) fn info() -> Value {
    json!({
        "title": "Keyward",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "A gateway for large language models where everybody brings their own keys.",
        "description": DESCRIPTION,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    })
}

/// The kinds of routes, in the order in which they are shown.
pub(super) fn tags() -> Value {
    let tag = |name: &str, description: &str| json!({"name": name, "description": description});
    json!([
        tag(
            "Models",
            "Models in OpenAI's, Anthropic's and Gemini's forms, whoever serves them."
        ),
        tag("Routes", "Whose key would serve, and why."),
        tag(
            "Provider keys",
            "Keys of providers, kept encrypted. Secrets go in, masks come out."
        ),
        tag(
            "ATOM",
            "Provider keys of a user in the form of ATOM's interface, one for each provider."
        ),
        tag(
            "Providers",
            "Who serves models, and how the caller stands with each."
        ),
        tag("Access keys", "What callers show to Keyward."),
        tag(
            "Tenancy",
            "Users, organizations with their members, and projects."
        ),
        tag("Credits", "What accounts have, and their ledger."),
        tag(
            "Budgets",
            "What of it may be spent on what, by the hour, day, week or month."
        ),
        tag(
            "Notices",
            "What accounts should know of, and where that is sent."
        ),
        tag(
            "Usage",
            "What was used and what it cost: sums, records, receipts."
        ),
        tag(
            "Tiers and prices",
            "What things cost: markups, list prices, the cost calculator."
        ),
        tag("Audit", "Who touched which key, and when."),
        tag(
            "Vault",
            "The master keys that guard all others, and the seal."
        ),
        tag("This document", "The API in OpenAPI's form."),
    ])
}

/// What the document says of itself.
pub(super) fn own_operation() -> Value {
    json!({
        "tags": ["This document"],
        "summary": "Show this document",
        "description": "It needs no credential.",
        "operationId": "getOpenApi",
        "security": [],
        "responses": {
            "200": {
                "description": "The document.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
        },
    })
}
