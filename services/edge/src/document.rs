//! The OpenAPI document of everything that is served. Each route says what is its own beside its
//! handler; what all of them have in common is added here. It is made once, at the start.

mod common;
mod prose;

use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderName, header};
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use self::common::complete;
use crate::failure::ErrorView;
use crate::inference;

/// The document, as it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Document(Bytes);

impl Document {
    /// Completes what the routes say of themselves.
    pub(crate) fn new(described: OpenApi) -> Self {
        Self(document(described).to_string().into())
    }
}

/// `GET /api/openapi.json`: for everybody, as it tells nobody's secrets.
pub(crate) async fn serve_document(
    State(Document(json)): State<Document>,
) -> ([(HeaderName, &'static str); 2], Bytes) {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, json)
}

fn document(described: OpenApi) -> Value {
    let described = serde_json::to_value(described).unwrap_or_default();
    let schemas = described["components"]["schemas"].clone();
    json!({
        "openapi": "3.1.0",
        "info": prose::info(),
        "servers": [{"url": "/", "description": "This gateway."}],
        "tags": prose::tags(),
        "security": [{"bearer": []}, {"x-api-key": []}, {"x-goog-api-key": []}],
        "paths": paths(&described),
        "components": common::components(schemas),
    })
}

fn paths(described: &Value) -> Value {
    let mut paths = Map::new();
    paths.insert(
        "/api/openapi.json".to_owned(),
        json!({"get": prose::own_operation()}),
    );
    let own = described["paths"].as_object().into_iter().flatten();
    let own = own.map(|(path, item)| (path.replace("{*", "{"), item.clone()));
    for (path, mut item) in own.chain(inference::described()) {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            complete(&path, method, operation);
        }
        // OpenAI's models are looked at by its own routes, and called in Gemini's form.
        match (paths.get_mut(&path), item) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
            (_, item) => _ = paths.insert(path, item),
        }
    }
    Value::Object(paths)
}

/// What the document says of errors; the kinds and codes are those of the one table.
fn error_schemas(schemas: &mut Value) {
    use keyward_runtime::error::Reason;
    use utoipa::{PartialSchema as _, ToSchema as _};

    let mut found = Vec::new();
    ErrorView::schemas(&mut found);
    found.push(("Error".to_owned(), ErrorView::schema()));
    for (name, schema) in found {
        schemas[name] = serde_json::to_value(schema).unwrap_or_default();
    }
    let words = |word: fn(Reason) -> &'static str| {
        let mut words: Vec<&str> = Reason::ALL.iter().map(|reason| word(*reason)).collect();
        words.sort_unstable();
        words.dedup();
        words
    };
    let detail = &mut schemas["ErrorDetail"]["properties"];
    detail["type"]["enum"] = json!(words(Reason::openai_type));
    detail["code"]["enum"] = json!(words(Reason::openai_code));
}
