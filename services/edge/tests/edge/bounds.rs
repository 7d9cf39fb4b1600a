//! What is refused before it costs anything: sizes, and heads that could be read in two ways.

use bytes::Bytes;
use http::Method;
use http_body_util::Full;

use crate::fixture::{Fixture, read};

const LIMIT: usize = 32 * 1024 * 1024;

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_at_once() {
    let fixture = Fixture::start().await;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer kw_test\r\n\
         content-length: {}\r\n\r\n",
        LIMIT + 1
    );
    // Not one byte of the body is sent, and the answer is there.
    let answer = fixture.raw(&[head.as_bytes()]).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("\"code\":\"request_too_large\""),
        "{answer}"
    );
}

#[tokio::test]
async fn a_caller_who_sends_it_all_the_same_still_reads_why() {
    let fixture = Fixture::start().await;
    let body = Full::new(Bytes::from(vec![b'x'; 40 * 1024 * 1024]));
    let request = fixture
        .request(Method::POST, "/v1/chat/completions")
        .header("authorization", "Bearer kw_test");
    let answered = read(fixture.send(request.body(body).unwrap()).await).await;
    assert_eq!(
        answered.error(),
        (413, "request_too_large".to_owned(), None)
    );
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_refused_while_it_is_read() {
    let fixture = Fixture::start().await;
    let head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n\
                 authorization: Bearer kw_test\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut chunk = b"100000\r\n".to_vec();
    chunk.extend(vec![b'x'; 1024 * 1024]);
    chunk.extend(b"\r\n");
    let mut pieces: Vec<&[u8]> = vec![head];
    pieces.extend(std::iter::repeat_n(chunk.as_slice(), 33));
    let answer = fixture.raw(&pieces).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(
        answer.contains("\"code\":\"request_too_large\""),
        "{answer}"
    );
}

#[tokio::test]
async fn compressed_bodies_are_refused() {
    let fixture = Fixture::start().await;
    for path in ["/v1/chat/completions", "/api/v1/users"] {
        let headers = [("content-encoding", "gzip")];
        let answered = fixture.call_with(Method::POST, path, "x", &headers).await;
        let param = Some("content-encoding".to_owned());
        assert_eq!(answered.error(), (400, "invalid_request".to_owned(), param));
    }
}

#[tokio::test]
async fn management_bodies_are_smaller() {
    let fixture = Fixture::start().await;
    let body = "x".repeat(1024 * 1024 + 1);
    let answered = fixture.call(Method::POST, "/api/v1/users", &body).await;
    assert_eq!(
        answered.error(),
        (413, "request_too_large".to_owned(), None)
    );
}

#[tokio::test]
async fn smuggled_heads_are_refused_in_openai_s_form() {
    let fixture = Fixture::start().await;
    for headers in [
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
        "content-length: 4\r\ncontent-length: 5\r\n",
        "content-length: 4, 5\r\n",
        "transfer-encoding: gzip\r\n",
    ] {
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer kw_test\r\n\
             {headers}\r\n0\r\n\r\nGET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"
        );
        for pieces in [
            vec![request.as_bytes()],
            request.as_bytes().chunks(40).collect(),
        ] {
            let answer = fixture.raw(&pieces).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{headers} {answer}");
            assert!(answer.contains("\"code\":\"invalid_request\""), "{answer}");
            // What was hidden behind it is not answered.
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        }
    }
    assert!(!fixture.fakes.was_asked("list_models"));
}

#[tokio::test]
async fn headers_are_bounded_in_size_and_number() {
    let fixture = Fixture::start().await;
    let large = format!("a: {}\r\n", "x".repeat(70 * 1024));
    let many = "a: b\r\n".repeat(200);
    for headers in [large, many] {
        let request = format!("GET /v1/models HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        let answer = fixture.raw(&[request.as_bytes()]).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(
            answer.contains("\"code\":\"request_too_large\""),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn requests_that_follow_each_other_on_a_connection_are_all_answered() {
    let fixture = Fixture::start().await;
    let requests = "GET /a HTTP/1.1\r\nhost: x\r\n\r\n\
                    POST /b HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nabcde\
                    POST /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n\
                    3\r\nabc\r\n0\r\n\r\n\
                    GET /d HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = fixture.raw(&[requests.as_bytes()]).await;
    assert_eq!(answer.matches("HTTP/1.1 404 ").count(), 4, "{answer}");
}
