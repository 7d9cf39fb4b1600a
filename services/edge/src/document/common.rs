//! What routes have in common: credentials, the errors that can come, headers.

use http::Method;
use keyward_runtime::error::metadata;
use serde_json::{Map, Value, json};

use super::error_schemas;
use crate::inference;
use crate::names;

/// Errors by status: the name of the response, and what it means.
const ERRORS: [(&str, &str, &str); 14] = [
    (
        "400",
        "InvalidRequest",
        "Something is malformed or unknown; `param` says what.",
    ),
    (
        "401",
        "InvalidAccessKey",
        "The access key is missing, wrong, expired or revoked.",
    ),
    (
        "402",
        "PaymentNeeded",
        "Credits do not cover it, or an own key has none at its provider.",
    ),
    (
        "403",
        "Forbidden",
        "The access key's scopes or the caller's role do not allow it.",
    ),
    (
        "404",
        "NotFound",
        "There is no such thing, or not for this caller.",
    ),
    (
        "409",
        "Conflict",
        "It exists already, or the idempotency key is being worked on.",
    ),
    (
        "412",
        "PreconditionFailed",
        "It is not as `If-Match` says, or its state does not allow this.",
    ),
    (
        "413",
        "TooLarge",
        "The body or the headers are larger than allowed.",
    ),
    (
        "422",
        "IdempotencyMismatch",
        "The idempotency key came with something else before.",
    ),
    (
        "429",
        "TooManyRequests",
        "A limit of the platform, the access key or a provider applies.",
    ),
    ("500", "InternalError", "A fault of the gateway's."),
    (
        "502",
        "UpstreamError",
        "The provider failed or could not be reached.",
    ),
    (
        "503",
        "Overloaded",
        "A part of the gateway is away or has too much to do; later perhaps.",
    ),
    (
        "504",
        "UpstreamTimeout",
        "The provider did not answer in time.",
    ),
];

/// What can come wherever a credential is needed.
const ALWAYS: [&str; 7] = ["400", "401", "403", "404", "413", "500", "503"];

/// What can come where something changes.
const CHANGES: [&str; 2] = ["409", "412"];

/// What can come from a model's provider.
const MODELS: [&str; 6] = ["402", "409", "422", "429", "502", "504"];

/// Adds to an operation what it has in common with others.
pub(super) fn complete(path: &str, method: &str, operation: &mut Value) {
    let calls_models = method == "post" && path.starts_with("/v1");
    let asked = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap_or_default();
    let errors_of = inference::errors_of(&asked, path);
    let keyed = has_parameter(operation, names::IDEMPOTENCY_KEY.as_str());
    let changes = keyed || matches!(method, "put" | "patch" | "delete");
    let mut errors = ALWAYS.to_vec();
    if changes {
        errors.extend(CHANGES);
    }
    if keyed {
        errors.push("422");
    }
    if calls_models {
        errors.extend(MODELS);
    }
    for status in errors {
        operation["responses"][status] = error_reference(errors_of, status);
    }
    if calls_models {
        add_model_answers(&mut operation["responses"]);
    }
    add_answer_headers(operation);
    bare_parameters(operation);
    let organization = json!({"$ref": "#/components/parameters/Organization"});
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.push(organization),
        None => operation["parameters"] = json!([organization]),
    }
}

fn has_parameter(operation: &Value, name: &str) -> bool {
    let parameters = operation["parameters"].as_array();
    parameters.is_some_and(|parameters| parameters.iter().any(|found| found["name"] == name))
}

fn error_reference(errors_of: &str, status: &str) -> Value {
    let found = ERRORS.iter().find(|(known, _, _)| *known == status);
    let name = found.map_or("InternalError", |(_, name, _)| *name);
    json!({"$ref": format!("#/components/responses/{errors_of}{name}")})
}

/// A parameter that is absent is left out, and never `null`.
fn bare_parameters(operation: &mut Value) {
    for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
        let schema = &mut parameter["schema"];
        if let Some(types) = schema["type"].as_array() {
            let bare = types.iter().find(|kind| *kind != "null").cloned();
            schema["type"] = bare.unwrap_or_default();
        }
        let choices = schema["oneOf"].as_array();
        let bare = choices.and_then(|choices| choices.iter().find(|one| one["type"] != "null"));
        if let Some(bare) = bare.cloned() {
            *schema = bare;
        }
    }
}

/// Every answer tells its trace; a resource that can be changed under `If-Match` tells its etag.
fn add_answer_headers(operation: &mut Value) {
    let ends_something = operation["operationId"]
        .as_str()
        .is_some_and(|id| WITH_LAGGARDS.contains(&id));
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        if response["$ref"].is_string() {
            continue;
        }
        response["headers"]["traceparent"] = reference("headers", "Traceparent");
        let schema = response["content"]["application/json"]["schema"]["$ref"].as_str();
        let shows =
            |name: &&str| schema.is_some_and(|schema| schema.ends_with(&format!("/{name}")));
        if status.starts_with('2') && WITH_ETAG.iter().any(shows) {
            response["headers"]["etag"] = reference("headers", "ETag");
        }
        if status.starts_with('2') && ends_something {
            response["headers"][names::LAGGARDS.as_str()] = reference("headers", "Laggards");
        }
    }
}

/// Resources that can be changed under `If-Match`.
const WITH_ETAG: [&str; 4] = ["Tenant", "Project", "ProviderKey", "Tier"];

/// What may end that a key serves or that somebody may use it.
const WITH_LAGGARDS: [&str; 8] = [
    "updateProviderKey",
    "rotateProviderKey",
    "deleteProviderKey",
    "revokeAccessKey",
    "deleteUser",
    "deleteOrganization",
    "deleteProject",
    "removeMember",
];

fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

/// What the headers about limits have in common.
const LIMITS: &str =
    "How the tightest limit stands, where one applies; with an own key the provider's.";

/// Headers on answers that reached routing, errors among them, and what a provider may answer itself.
fn add_model_answers(responses: &mut Value) {
    let header = |name: &str, description: &str| {
        let value = json!({"description": description, "schema": {"type": "string"}});
        (name.to_owned(), value)
    };
    let headers: serde_json::Map<String, Value> = [
        header(
            names::REQUEST_ID.as_str(),
            "Keyward's id of the request, for its receipt.",
        ),
        header(names::PROVIDER.as_str(), "Who served it."),
        header(names::MODEL.as_str(), "The model's name there."),
        header(
            names::KEY_SOURCE.as_str(),
            "Whose key served, such as `user` or `user:openrouter`.",
        ),
        header(
            names::USING_BYOK.as_str(),
            "Whether that was a key of the caller's own.",
        ),
        header(
            names::CREDITS_CHARGED.as_str(),
            "Credits; a stream says it at its end instead.",
        ),
        header(names::ATTEMPTS.as_str(), "How many keys were tried."),
        header(
            names::CACHE.as_str(),
            "`hit`, `miss`, or `bypass` where stored answers had nothing to do with it.",
        ),
        header(
            names::RATE_LIMIT_BYPASS.as_str(),
            "`BYOK API key used`, with an own key.",
        ),
        header(
            names::PROVIDER_REQUEST_ID.as_str(),
            "The provider's id of the request.",
        ),
        header(
            names::CLIENT_REQUEST_ID.as_str(),
            "The caller's own `x-request-id`.",
        ),
    ]
    .into_iter()
    .chain(metadata::RATE_LIMITS.map(|name| header(name, LIMITS)))
    .collect();
    responses["200"]["headers"] = Value::Object(headers.clone());
    responses["4XX"] = json!({
        "description": "The provider's own error about the request, as it came.",
        "headers": headers,
        "content": {"application/json": {"schema": {"type": "object"}}},
    });
}

/// What operations refer to.
pub(super) fn components(mut schemas: Value) -> Value {
    error_schemas(&mut schemas);
    let mut errors = Map::new();
    for language in ["", "Anthropic", "Google"] {
        if let Some(schema) = inference::error_schema(language) {
            schemas[format!("{language}Error")] = schema;
        }
        for (status, name, description) in ERRORS {
            let response = error_response(language, status, description);
            errors.insert(format!("{language}{name}"), response);
        }
    }
    json!({
        "schemas": schemas,
        "responses": Value::Object(errors),
        "parameters": {"Organization": {
            "name": names::ORGANIZATION.as_str(),
            "in": "header",
            "description": "The organization to act in, for who may act in several.",
            "schema": {"type": "string", "pattern": "^([a-z0-9][a-z0-9._-]{0,62})?$"},
        }},
        "headers": {
            "Traceparent": {
                "description": "The trace that the request is in (W3C).",
                "required": true,
                "schema": {"type": "string"},
            },
            "ETag": {
                "description": "Changes with every change, for `If-Match`.",
                "required": true,
                "schema": {"type": "string"},
                "example": "\"3\"",
            },
            "Laggards": {
                "description": "How many of the connected routers had not confirmed the change. Each \
                                of them stops by itself within `vault.revocation_bound`.",
                "required": true,
                "schema": {"type": "integer", "minimum": 0},
                "example": 0,
            },
        },
        "securitySchemes": {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "kw_…",
                "description": "An access key.",
            },
            "x-api-key": {
                "type": "apiKey",
                "in": "header",
                "name": names::X_API_KEY.as_str(),
                "description": "An access key, where Anthropic's SDK puts it.",
            },
            "x-goog-api-key": {
                "type": "apiKey",
                "in": "header",
                "name": names::X_GOOG_API_KEY.as_str(),
                "description": "An access key, where Google's SDK puts it.",
            },
        },
    })
}

fn error_response(language: &str, status: &str, description: &str) -> Value {
    let schema = reference("schemas", &format!("{language}Error"));
    let mut headers = json!({
        "traceparent": reference("headers", "Traceparent"),
        "x-should-retry": {
            "description": "`false` where the same request would fail again.",
            "schema": {"type": "string", "enum": ["false"]},
        },
    });
    if matches!(status, "429" | "503") {
        headers["retry-after"] = json!({
            "description": "Seconds to wait, where that is known.",
            "schema": {"type": "integer", "minimum": 0},
        });
    }
    if status == "429" {
        headers[names::RETRY_AFTER_MS.as_str()] = json!({
            "description": "Milliseconds to wait, where a limit refused.",
            "schema": {"type": "integer", "minimum": 1},
        });
        for name in metadata::RATE_LIMITS {
            headers[name] = json!({"description": LIMITS, "schema": {"type": "string"}});
        }
    }
    json!({
        "description": description,
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
    })
}
