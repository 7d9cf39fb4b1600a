use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{number, request};

#[test]
fn what_means_the_same_is_the_same() {
    let same = |left: &str, right: &str| {
        assert!(request(left).is_some(), "{left}");
        assert_eq!(request(left), request(right), "{left} and {right}");
    };
    same(r#"{"a":1,"b":2}"#, "{ \"b\" : 2 ,\n\t\"a\" : 1 }");
    same(
        r#"{"a":{"x":[1,{"p":1,"q":2}]}}"#,
        r#"{"a":{"x":[1,{"q":2,"p":1}]}}"#,
    );
    same(r#"{"a":"\u00e9\/"}"#, r#"{"a":"é/"}"#);
    same(r#"{"\u0061":1}"#, r#"{"a":1}"#);
    same(r#"{"a":1.50}"#, r#"{"a":15e-1}"#);
    same(
        r#"{"messages":[],"model":"x","stream":true,"stream_options":{"include_usage":true},
            "user":"u","metadata":{"a":"b"},"provider":{"only":["openai"]},"models":["y"],
            "byok_api_key":"k"}"#,
        r#"{"messages":[]}"#,
    );
}

#[test]
fn what_means_something_else_is_something_else() {
    let other = |left: &str, right: &str| assert_ne!(request(left), request(right));
    other(r#"{"temperature":0}"#, r#"{"temperature":1}"#);
    other(r#"{"temperature":0}"#, "{}");
    other(
        r#"{"seed":18446744073709551617}"#,
        r#"{"seed":18446744073709551618}"#,
    );
    other(r#"{"a":"1"}"#, r#"{"a":1}"#);
    other(r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#);
    other(r#"{"a":{"b":1,"b":2}}"#, r#"{"a":{"b":2,"b":1}}"#);
    // Only the request's own members are left out.
    other(r#"{"a":{"user":"u"}}"#, r#"{"a":{}}"#);
}

#[test]
fn what_is_no_object_or_too_deep_has_no_form() {
    for wrong in [
        "",
        "[]",
        "1",
        "{",
        r#"{"a"}"#,
        r#"{"a":1}x"#,
        r#"{"a":+}"#,
        r#"{"a":tru}"#,
    ] {
        assert_eq!(request(wrong), None, "{wrong}");
    }
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(request(&nested(100)).is_some());
    assert_eq!(request(&nested(200)), None);
}

#[test]
fn numbers_are_compared_by_value() {
    for (left, right) in [
        ("1", "1.0"),
        ("1", "1e0"),
        ("100", "1E2"),
        ("0", "-0.0"),
        ("0.001", "1e-3"),
        ("-2.50", "-25e-1"),
        ("1e+2", "100"),
    ] {
        assert_eq!(number(left), number(right), "{left} and {right}");
    }
    assert_ne!(number("1"), number("-1"));
    assert_ne!(number("1"), number("10"));
    assert_eq!(number("1e99999999999999999999"), None);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            members(inner).prop_map(Value::from),
        ]
    })
}

fn members(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(".{0,6}", inner, 0..6)
        .prop_map(|members| members.into_iter().collect())
}

fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().rev();
            members
                .map(|(name, value)| (name.clone(), reversed(value)))
                .collect()
        }
        Value::Array(elements) => elements.iter().map(reversed).collect(),
        other => other.clone(),
    }
}

proptest! {
    #[test]
    fn order_of_members_and_white_space_do_not_matter(members in members(any_json())) {
        let value = Value::Object(members);
        let plain = request(&value.to_string());
        prop_assert!(plain.is_some());
        let spread = serde_json::to_string_pretty(&reversed(&value)).unwrap();
        prop_assert_eq!(&plain, &request(&spread));
    }

    #[test]
    fn a_change_of_one_member_is_seen(members in members(any_json()), other in any_json()) {
        let mut value = Value::Object(members);
        value["messages"] = json!(["a"]);
        let before = request(&value.to_string());
        value["messages"] = json!(["a", other]);
        prop_assert_ne!(before, request(&value.to_string()));
    }
}
