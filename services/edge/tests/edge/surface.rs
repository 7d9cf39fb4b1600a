//! What every address has in common: credentials, errors, traces, metrics; and the models.

use bytes::Bytes;
use http::Method;
use http_body_util::Full;
use keyward_proto::router::v1::{GetModelRequest, GetModelResponse, ListModelsResponse, Model};

use crate::fixture::{Fixture, read};

fn echo() -> Model {
    Model {
        model_id: "sandbox/echo".to_owned(),
        vendor: "sandbox".to_owned(),
        ..Model::default()
    }
}

fn models() -> ListModelsResponse {
    ListModelsResponse {
        models: vec![echo()],
        next_page_token: String::new(),
    }
}

#[tokio::test]
async fn errors_have_the_form_of_whose_address_it_is() {
    let fixture = Fixture::start().await;
    let bare = async |path: &str| {
        let request = fixture.request(Method::POST, path);
        let request = request.body(Full::new(Bytes::from_static(b"{}"))).unwrap();
        let answered = read(fixture.send(request).await).await;
        assert_eq!(answered.status, 401, "{path}");
        assert_eq!(answered.headers["content-type"], "application/json");
        answered.json()
    };
    let anthropics = bare("/v1/messages").await;
    assert_eq!(anthropics["type"], "error");
    assert_eq!(anthropics["error"]["type"], "authentication_error");
    for models in ["/v1beta/models", "/v1/models", "/api/v1/llm/models"] {
        let googles = bare(&format!("{models}/m:generateContent")).await;
        assert_eq!(googles["error"]["code"], 401);
        assert_eq!(googles["error"]["status"], "UNAUTHENTICATED");
        let no_verb = format!("{models}/m:predict");
        let no_verb = fixture.call(Method::POST, &no_verb, "{}").await;
        assert_eq!(no_verb.json()["error"]["status"], "NOT_FOUND");
    }
    assert_eq!(
        bare("/v1/embeddings").await["error"]["code"],
        "invalid_access_key"
    );
    let nowhere = fixture.call(Method::GET, "/v1beta/nothing", "").await;
    assert_eq!(nowhere.json()["error"]["status"], "NOT_FOUND");
    let looked_at = fixture.call(Method::GET, "/v1/models/%ff", "").await;
    assert_eq!(looked_at.json()["error"]["code"], "invalid_request");
}

#[tokio::test]
async fn models_are_listed_in_geminis_form() {
    let fixture = Fixture::start().await;
    fixture.fakes.answer("list_models", models());
    let answered = fixture
        .call(Method::GET, "/v1beta/models?pageSize=7", "")
        .await;
    assert_eq!(answered.json()["models"][0]["name"], "models/sandbox/echo");
}

#[tokio::test]
async fn models_are_listed_in_anthropics_form_for_who_says_its_version() {
    let fixture = Fixture::start().await;
    fixture.fakes.answer("list_models", models());
    let version = [("anthropic-version", "2023-06-01")];
    let answered = fixture
        .call_with(Method::GET, "/v1/models", "", &version)
        .await;
    let listed = answered.json();
    assert_eq!(listed["data"][0]["type"], "model");
    assert_eq!(listed["data"][0]["id"], "sandbox/echo");
    assert_eq!(listed["has_more"], false);
}

#[tokio::test]
async fn unknown_addresses_and_wrong_methods_are_told_in_openai_s_form() {
    let fixture = Fixture::start().await;
    for (method, path, status, code) in [
        (Method::GET, "/", 404, "not_found"),
        (Method::GET, "/v1/nothing", 404, "not_found"),
        (Method::GET, "/api/v1/nothing", 404, "not_found"),
        (
            Method::GET,
            "/api/v1/provider-keys/test",
            405,
            "method_not_allowed",
        ),
        (Method::GET, "/healthz", 404, "not_found"),
        (
            Method::GET,
            "/v1/chat/completions",
            405,
            "method_not_allowed",
        ),
        (
            Method::DELETE,
            "/api/v1/llm/models",
            405,
            "method_not_allowed",
        ),
        (
            Method::PUT,
            "/api/v1/provider-keys",
            405,
            "method_not_allowed",
        ),
    ] {
        let answered = fixture.call(method, path, "").await;
        assert_eq!(answered.error(), (status, code.to_owned(), None), "{path}");
        assert!(answered.headers.contains_key("traceparent"), "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let fixture = Fixture::start().await;
    let answered = fixture.call(Method::DELETE, "/api/v1/users", "").await;
    assert_eq!(answered.headers["allow"], "GET,HEAD,POST");
}

#[tokio::test]
async fn a_path_that_is_no_text_is_refused() {
    let fixture = Fixture::start().await;
    let answered = fixture.call(Method::GET, "/api/v1/users/%ff", "").await;
    assert_eq!(answered.error(), (400, "invalid_request".to_owned(), None));
}

#[tokio::test]
async fn a_credential_is_needed_and_several_contradict_each_other() {
    let fixture = Fixture::start().await;
    fixture.fakes.answer("list_models", models());
    let empty = || Full::new(Bytes::new());
    let bare = fixture.request(Method::GET, "/v1/models").body(empty());
    let answered = read(fixture.send(bare.unwrap()).await).await;
    assert_eq!(
        answered.error(),
        (401, "invalid_access_key".to_owned(), None)
    );
    let two = [("x-api-key", "kw_other")];
    let answered = fixture.call_with(Method::GET, "/v1/models", "", &two).await;
    assert_eq!(answered.status, 400);
    assert!(!fixture.fakes.was_asked("list_models"));
    for name in ["x-api-key", "x-goog-api-key"] {
        let request = fixture.request(Method::GET, "/v1/models");
        let request = request.header(name, "kw_test").body(empty()).unwrap();
        assert_eq!(read(fixture.send(request).await).await.status, 200);
        let asked = fixture
            .fakes
            .asked::<keyward_proto::router::v1::ListModelsRequest>("list_models");
        assert_eq!(
            asked.metadata.get("authorization").unwrap(),
            "Bearer kw_test"
        );
    }
}

#[tokio::test]
async fn models_have_openai_s_form_and_slashes_in_their_ids() {
    let fixture = Fixture::start().await;
    fixture.fakes.answer("list_models", models());
    fixture.fakes.answer(
        "get_model",
        GetModelResponse {
            model: Some(echo()),
        },
    );
    for prefix in ["/v1", "/api/v1/llm"] {
        let listed = fixture
            .call(Method::GET, &format!("{prefix}/models"), "")
            .await
            .json();
        assert_eq!(listed["object"], "list");
        assert_eq!(listed["data"][0]["id"], "sandbox/echo");
        for id in ["sandbox/echo", "sandbox%2Fecho"] {
            let path = format!("{prefix}/models/{id}");
            let model = fixture.call(Method::GET, &path, "").await.json();
            assert_eq!(model["object"], "model");
            assert_eq!(model["owned_by"], "sandbox");
            assert_eq!(model["created"], 0);
            let asked = fixture.fakes.asked::<GetModelRequest>("get_model");
            assert_eq!(asked.message.model, "sandbox/echo");
        }
    }
}

#[tokio::test]
async fn http2_is_served_too() {
    let fixture = Fixture::start().await;
    fixture.fakes.answer("list_models", models());
    let request = fixture
        .request(Method::GET, "/v1/models")
        .header("authorization", "Bearer kw_test")
        .body(Full::new(Bytes::new()))
        .unwrap();
    let answered = read(fixture.send_http2(request).await).await;
    assert_eq!(answered.status, 200);
}

#[tokio::test]
async fn requests_are_counted_by_the_pattern_of_their_route() {
    let fixture = Fixture::start().await;
    fixture.fakes.answer(
        "get_model",
        GetModelResponse {
            model: Some(echo()),
        },
    );
    fixture
        .call(Method::GET, "/v1/models/sandbox/echo", "")
        .await;
    fixture.call(Method::GET, "/secret/path?key=sk-1", "").await;
    // The count is made when the connection is done with the answer, a moment after it was read.
    let text = loop {
        let text = fixture.process.metrics.encode().unwrap();
        if text.contains("keyward_http_requests_in_flight 0") {
            break text;
        }
        tokio::task::yield_now().await;
    };
    for line in [
        "keyward_http_requests_total{method=\"GET\",route=\"/v1/models/{*model}\",status=\"2xx\"} 1",
        "keyward_http_requests_total{method=\"GET\",route=\"unmatched\",status=\"4xx\"} 1",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(!text.contains("secret") && !text.contains("sk-1"));
}
