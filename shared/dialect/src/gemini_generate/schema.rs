//! Google's own kind of schema, as JSON schema: types in capitals, `nullable`.

use serde_json::{Map, Value, json};

/// Members that are integers of 64 bits.
const BOUNDS: [&str; 6] = [
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
];

/// Makes a JSON schema of a schema of either kind.
pub(super) fn to_json_schema(schema: Value) -> Value {
    let Value::Object(members) = schema else {
        return schema;
    };
    let nullable = members.get("nullable") == Some(&Value::Bool(true));
    let mut written = Map::new();
    for (name, value) in members {
        let value = match name.as_str() {
            "nullable" | "propertyOrdering" | "property_ordering" => continue,
            "type" => kind(value, nullable),
            "items" | "additionalProperties" => to_json_schema(value),
            "properties" | "$defs" => properties(value),
            "prefixItems" => each(value),
            "anyOf" | "any_of" => {
                written.insert("anyOf".to_owned(), any_of(value, nullable));
                continue;
            }
            bound if BOUNDS.contains(&bound) => number(value),
            _ => value,
        };
        written.insert(name, value);
    }
    Value::Object(written)
}

/// Protobuf writes integers of 64 bits as texts; JSON schema has numbers there.
fn number(value: Value) -> Value {
    let parsed = value.as_str().and_then(|text| text.parse::<u64>().ok());
    parsed.map_or(value, Value::from)
}

/// One of several schemas, or nothing.
fn any_of(schemas: Value, nullable: bool) -> Value {
    let mut schemas = each(schemas);
    if let (Value::Array(schemas), true) = (&mut schemas, nullable) {
        schemas.push(json!({"type": "null"}));
    }
    schemas
}

fn kind(kind: Value, nullable: bool) -> Value {
    let Value::String(word) = kind else {
        return kind;
    };
    let word = word.to_ascii_lowercase();
    if nullable {
        json!([word, "null"])
    } else {
        word.into()
    }
}

fn properties(properties: Value) -> Value {
    let Value::Object(properties) = properties else {
        return properties;
    };
    let each = properties
        .into_iter()
        .map(|(name, schema)| (name, to_json_schema(schema)));
    Value::Object(each.collect())
}

fn each(schemas: Value) -> Value {
    match schemas {
        Value::Array(schemas) => schemas.into_iter().map(to_json_schema).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_in_capitals_become_json_schemas() {
        let googles = json!({
            "type": "OBJECT",
            "properties": {
                "type": {"type": "STRING", "nullable": true},
                "list": {"type": "ARRAY", "items": {"type": "INTEGER"}},
            },
            "propertyOrdering": ["type", "list"],
        });
        let expect = json!({
            "type": "object",
            "properties": {
                "type": {"type": ["string", "null"]},
                "list": {"type": "array", "items": {"type": "integer"}},
            },
        });
        assert_eq!(to_json_schema(googles), expect);
    }
}
