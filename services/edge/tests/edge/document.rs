//! The OpenAPI document against what is served.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;

use crate::fixture::Fixture;

/// Served, and not in the document: the same as under `/v1`.
const UNDOCUMENTED: &str = "/api/v1/llm/";

async fn document(fixture: &Fixture) -> Value {
    let answered = fixture.call(Method::GET, "/api/openapi.json", "").await;
    assert_eq!(answered.headers["content-type"], "application/json");
    answered.json()
}

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    all.collect()
}

#[tokio::test]
async fn the_document_is_for_everybody() {
    let fixture = Fixture::start().await;
    let bare = fixture.request(Method::GET, "/api/openapi.json");
    let body = http_body_util::Full::default();
    let answer = fixture.send(bare.body(body).unwrap()).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn every_route_is_in_the_document() {
    let fixture = Fixture::start().await;
    let document = document(&fixture).await;
    let documented: BTreeSet<&str> = operations(&document)
        .iter()
        .map(|(path, ..)| *path)
        .collect();
    // axum lists its routes nowhere but in what `Debug` tells of it.
    let routes = fixture.told.split("RouteId(").filter_map(|rest| {
        let (_, path) = rest.split_once("): \"")?;
        path.split_once('"')
            .map(|(path, _)| path.replace("{*", "{"))
    });
    let fallback = |path: &String| path == "/" || path.contains("__private__axum");
    let routes: BTreeSet<String> = routes.filter(|path| !fallback(path)).collect();
    assert!(routes.len() > 30, "{routes:?}");
    for path in &documented {
        assert!(routes.contains(*path), "{path} is in the document alone");
    }
    for path in &routes {
        let is_told = documented.contains(path.as_str()) || path.starts_with(UNDOCUMENTED);
        assert!(is_told, "{path} is not in the document");
    }
}

#[tokio::test]
async fn every_path_knows_the_methods_of_the_document_and_no_others() {
    let fixture = Fixture::start().await;
    let document = document(&fixture).await;
    for (path, item) in document["paths"].as_object().unwrap() {
        let mut expect: BTreeSet<String> = item
            .as_object()
            .unwrap()
            .keys()
            .map(|method| method.to_uppercase())
            .collect();
        if expect.contains("GET") {
            expect.insert("HEAD".to_owned());
        }
        let address = path.replace(['{', '}'], "");
        for method in [Method::OPTIONS, Method::TRACE] {
            let answered = fixture.call(method, &address, "").await;
            assert_eq!(answered.status, 405, "{path}");
            let allow = answered.headers["allow"].to_str().unwrap();
            let allow: BTreeSet<String> = allow.split(',').map(str::to_owned).collect();
            assert_eq!(allow, expect, "{path}");
        }
    }
}

#[tokio::test]
async fn every_operation_has_a_name_of_its_own_words_and_errors() {
    let fixture = Fixture::start().await;
    let document = document(&fixture).await;
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id), "{id} is there twice");
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(
            !summary.is_empty() && !summary.ends_with('.'),
            "{method} {path}"
        );
        if operation["security"] == serde_json::json!([]) {
            continue;
        }
        for status in ["400", "401", "403", "404", "413", "500", "503"] {
            assert!(
                operation["responses"][status].is_object(),
                "{method} {path} {status}"
            );
        }
    }
}

#[tokio::test]
async fn nothing_in_the_document_refers_to_nothing() {
    let fixture = Fixture::start().await;
    let document = document(&fixture).await;
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 100);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect_references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members
                .values()
                .for_each(|value| collect_references(value, found));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|value| collect_references(value, found)),
        _ => {}
    }
}
