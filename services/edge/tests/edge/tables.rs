//! Usage as CSV: whole, or visibly broken.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use keyward_proto::metering::v1 as metering;

use crate::fixture::{Fixture, PATIENCE};

#[tokio::test]
async fn sums_and_records_come_as_csv_where_that_is_asked_for() {
    let fixture = Fixture::start().await;
    let sum = metering::UsageSum {
        model: "=evil(),\"x\"".to_owned(),
        requests: 2,
        ..metering::UsageSum::default()
    };
    let answer = metering::QueryUsageResponse {
        sums: vec![sum],
        ..metering::QueryUsageResponse::default()
    };
    fixture.fakes.answer("query_usage", answer);
    let csv = [("accept", "text/csv")];
    let path = "/api/v1/usage?group_by=model";
    let answered = fixture.call_with(Method::GET, path, "", &csv).await;
    assert_eq!(
        answered.headers["content-type"],
        "text/csv; charset=utf-8; header=present"
    );
    assert_eq!(
        answered.headers["content-disposition"],
        "attachment; filename=\"usage.csv\""
    );
    let text = String::from_utf8(answered.body.to_vec()).unwrap();
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert!(lines[0].starts_with("model,requests,attempts,failed_attempts,input,output,"));
    assert!(
        lines[1].starts_with("\"'=evil(),\"\"x\"\"\",2,0,0,0,0,"),
        "{text}"
    );
    assert_eq!(lines.len(), 2);

    let answer = metering::ListUsageRecordsResponse {
        records: vec![metering::UsageRecord::default(); 3],
        next_page_token: String::new(),
    };
    fixture.fakes.answer("list_usage_records", answer);
    let path = "/api/v1/usage/records";
    let answered = fixture.call_with(Method::GET, path, "", &csv).await;
    let text = String::from_utf8(answered.body.to_vec()).unwrap();
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 4);
    for line in &lines {
        assert_eq!(line.split(',').count(), 41, "{line}");
    }
    let asked = fixture
        .fakes
        .asked::<metering::ListUsageRecordsRequest>("list_usage_records");
    assert_eq!(asked.message.page_size, 1000);
}

#[tokio::test]
async fn the_pages_of_a_table_of_sums_are_of_one_period() {
    let fixture = Fixture::start().await;
    let answer = metering::QueryUsageResponse::default();
    fixture.fakes.answer("query_usage", answer);
    let csv = [("accept", "text/csv")];
    let end = |query: &str| {
        let path = format!("/api/v1/usage{query}");
        let fixture = &fixture;
        async move {
            fixture.call_with(Method::GET, &path, "", &csv).await;
            let asked = fixture.fakes.asked("query_usage");
            let asked: metering::QueryUsageRequest = asked.message;
            asked.filter.unwrap().end_time.expect("an end").seconds
        }
    };
    assert_eq!(end("?to=2026-11-01").await, 1_793_491_200);
    assert!(end("").await > 0);
}

/// A table that metering never finishes: each page names another.
fn endless() -> metering::ListUsageRecordsResponse {
    metering::ListUsageRecordsResponse {
        records: vec![metering::UsageRecord::default()],
        next_page_token: "next".to_owned(),
    }
}

fn table(fixture: &Fixture) -> Request<Full<Bytes>> {
    let request = fixture
        .request(Method::GET, "/api/v1/usage/records")
        .header("authorization", "Bearer kw_test")
        .header("accept", "text/csv");
    request.body(Full::default()).unwrap()
}

#[tokio::test]
async fn a_table_whose_rest_cannot_be_read_never_looks_whole() {
    let fixture = Fixture::start().await;
    for http2 in [false, true] {
        fixture.fakes.answer("list_usage_records", endless());
        let mut response = match http2 {
            true => fixture.send_http2(table(&fixture)).await,
            false => fixture.send(table(&fixture)).await,
        };
        assert_eq!(response.status(), 200);
        let first = response.body_mut().frame().await.unwrap().unwrap();
        assert!(first.into_data().unwrap().starts_with(b"request_id,"));
        let gone: Result<metering::ListUsageRecordsResponse, _> =
            Err(tonic::Status::unavailable("gone"));
        fixture.fakes.outcome("list_usage_records", gone);
        let rest = response.into_body().collect();
        let rest = tokio::time::timeout(PATIENCE, rest).await;
        assert!(rest.expect("it ends").is_err(), "HTTP/2: {http2}");
    }
}

#[tokio::test]
async fn a_table_that_fails_at_its_begin_is_an_error_like_any_other() {
    let fixture = Fixture::start().await;
    let gone: Result<metering::ListUsageRecordsResponse, _> =
        Err(tonic::Status::unavailable("gone"));
    fixture.fakes.outcome("list_usage_records", gone);
    let csv = [("accept", "text/csv")];
    let path = "/api/v1/usage/records";
    let answered = fixture.call_with(Method::GET, path, "", &csv).await;
    assert_eq!(answered.headers["content-type"], "application/json");
    assert_eq!(answered.error(), (503, "overloaded".to_owned(), None));
}
