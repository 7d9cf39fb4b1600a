//! What the document says of calls: the table's rows and Gemini's addresses. Bodies are described as far
//! as they are looked at; all else is the providers'.

use http::Method;
use keyward_runtime::error::Reason;
use serde_json::{Map, Value, json};
use utoipa::IntoParams as _;

use super::extras::Extras;
use super::gemini::{MODELS, OPENAIS_MODELS};
use super::spoken::Language;
use super::table::{ROWS, Row};
use crate::rest::IdempotencyKey;

/// Addresses with what they do, as OpenAPI has it.
pub(crate) fn described() -> Vec<(String, Value)> {
    let rows = ROWS.iter().map(|row| {
        let path = format!("/v1{}", row.path);
        (path, json!({"post": operation(row)}))
    });
    rows.chain(geminis()).collect()
}

fn operation(row: &Row) -> Value {
    let media = if row.in_parts {
        "multipart/form-data"
    } else {
        "application/json"
    };
    json!({
        "tags": ["Models"],
        "summary": row.summary,
        "description": "What is not listed here is passed on to the provider untouched.",
        "operationId": row.operation,
        "parameters": parameters(),
        "requestBody": {"required": true, "content": {media: {"schema": schema(row)}}},
        "responses": {"200": answered(row.answers)},
    })
}

/// The headers that every call may have.
fn parameters() -> Value {
    let mut all = Extras::into_params(|| None);
    all.extend(IdempotencyKey::into_params(|| None));
    serde_json::to_value(all).unwrap_or_default()
}

fn schema(row: &Row) -> Value {
    let (mut properties, mut example) = (Map::new(), Map::new());
    for (at, (name, value)) in row.members.iter().enumerate() {
        let value: Value = serde_json::from_str(value).unwrap_or_default();
        let is_file = row.in_parts && at == 0;
        let schema = match (&value, is_file) {
            (_, true) => json!({"type": "string", "format": "binary"}),
            (Value::Number(_), _) => json!({"type": "integer", "minimum": 1}),
            (Value::Array(_), _) => {
                json!({"type": "array", "minItems": 1, "items": {"type": "object"}})
            }
            _ => json!({"type": "string", "minLength": 1}),
        };
        properties.insert((*name).to_owned(), schema);
        if !is_file {
            example.insert((*name).to_owned(), value);
        }
    }
    let required: Vec<&str> = row.members.iter().map(|(name, _)| *name).collect();
    let mut schema = json!({"type": "object", "required": required, "properties": properties});
    if !row.in_parts {
        schema["example"] = Value::Object(example);
    }
    schema
}

fn answered(media: &[&str]) -> Value {
    let content = media.iter().map(|media| {
        let schema = match *media {
            "application/json" => json!({"type": "object"}),
            "audio/mpeg" => json!({"type": "string", "format": "binary"}),
            _ => json!({"type": "string"}),
        };
        ((*media).to_owned(), json!({"schema": schema}))
    });
    json!({
        "description": "The provider's answer. A stream tells its cost in a comment at its end.",
        "content": content.collect::<Map<_, _>>(),
    })
}

fn geminis() -> Vec<(String, Value)> {
    let list = json!({"get": {
        "tags": ["Models"],
        "summary": "List models in Gemini's form",
        "operationId": "listGeminiModels",
        "parameters": [
            in_query("pageSize", "The most models that come at once.",
                &json!({"type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32})),
            in_query("pageToken", "Where the page before said to go on.", &json!({"type": "string"})),
        ],
        "responses": {"200": answered(&["application/json"])},
    }});
    let model = json!({
        "get": {
            "tags": ["Models"],
            "summary": "Show a model in Gemini's form",
            "operationId": "getGeminiModel",
            "parameters": [in_path("call", "The model, by its id or an alias.")],
            "responses": {"200": answered(&["application/json"])},
        },
        "post": gemini_call("callGeminiModel", "call"),
    });
    let [openais, _] = OPENAIS_MODELS;
    vec![
        (MODELS.to_owned(), list),
        (format!("{MODELS}/{{call}}"), model),
        (
            format!("{openais}/{{model}}"),
            json!({"post": gemini_call("callModelAsGemini", "model")}),
        ),
    ]
}

/// A call of a model that stands in the path under this name.
fn gemini_call(operation: &str, called: &str) -> Value {
    let mut parameters = parameters();
    if let Some(all) = parameters.as_array_mut() {
        let asked = "The model, and behind a colon what is asked of it.";
        let framing = "`sse` for a stream of events; a JSON array otherwise.";
        all.push(in_path(called, asked));
        all.push(in_query("alt", framing, &json!({"type": "string"})));
    }
    json!({
        "tags": ["Models"],
        "summary": "Call a model in Gemini's form",
        "description": "`generateContent`, `streamGenerateContent`, `countTokens`, `embedContent` \
                        or `batchEmbedContents`.",
        "operationId": operation,
        "parameters": parameters,
        "requestBody": {"required": true, "content": {"application/json": {
            "schema": {"type": "object"},
        }}},
        "responses": {"200": answered(&["application/json", "text/event-stream"])},
    })
}

fn in_query(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

fn in_path(name: &str, description: &str) -> Value {
    json!({
        "name": name, "in": "path", "required": true, "description": description,
        "schema": {"type": "string"}, "example": "gemini-2.5-flash:generateContent",
    })
}

/// What the names of error responses begin with where this is asked.
pub(crate) fn errors_of(method: &Method, path: &str) -> &'static str {
    match Language::of(method, path) {
        Language::OpenAi => "",
        Language::Anthropic => "Anthropic",
        Language::Google => "Google",
    }
}

/// The error of that beginning, as a schema.
pub(crate) fn error_schema(prefix: &str) -> Option<Value> {
    let mut words: Vec<&str> = Reason::ALL
        .iter()
        .map(|reason| match prefix {
            "Anthropic" => reason.anthropic_type(),
            _ => reason.google_status(),
        })
        .collect();
    words.sort_unstable();
    words.dedup();
    let message = json!({"type": "string", "description": "For people."});
    let object = |required: Value, properties: Value| json!({"type": "object", "required": required, "properties": properties});
    match prefix {
        "Anthropic" => Some(object(
            json!(["type", "error"]),
            json!({
                "type": {"const": "error"},
                "error": object(
                    json!(["type", "message"]),
                    json!({"type": {"type": "string", "enum": words}, "message": message}),
                ),
                "request_id": {"type": ["string", "null"]},
            }),
        )),
        "Google" => Some(object(
            json!(["error"]),
            json!({"error": object(
                json!(["code", "message", "status"]),
                json!({
                    "code": {"type": "integer"},
                    "message": message,
                    "status": {"type": "string", "enum": words},
                    "details": {"type": "array", "items": {"type": "object"}},
                }),
            )}),
        )),
        _ => None,
    }
}
