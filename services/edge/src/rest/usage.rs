//! `/api/v1/usage` and `/api/v1/usage/records`: sums, and one row for each attempt; as JSON or CSV.
//! Beside them what is made of both: provider keys, savings, statements, what-if reports.

mod accept;
mod csv;
mod group_by;
mod keys;
mod query;
mod record;
mod rerating;
mod savings;
mod statement;
mod sums;
mod units;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use keyward_proto::metering::v1::{
    ListUsageRecordsRequest, ListUsageRecordsResponse, QueryUsageRequest, QueryUsageResponse,
};
use keyward_runtime::time;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::accept::Form;
use self::query::{RecordsQuery, SumsQuery};
pub(super) use self::record::AttemptView;
use self::record::{RecordList, record_columns, record_row};
use self::sums::{UsageSums, sum_columns, sum_row};
use super::parameters::Query;
use super::reply::Reply;
use crate::caller::Call;
use crate::failure::Failure;
use crate::services::Services;

/// Rows that are asked for at once while a CSV is written: the most that the contract allows.
const CSV_PAGE_ROWS: u32 = 1000;

pub(super) fn router() -> OpenApiRouter<Services> {
    OpenApiRouter::default()
        .routes(routes!(records))
        .routes(routes!(sums))
        .routes(routes!(keys::keys))
        .routes(routes!(savings::savings))
        .routes(routes!(statement::statement))
        .routes(routes!(rerating::rerating))
}

/// List usage records
///
/// One for each attempt at a provider, those of the account acted for or of the one that is named.
/// `user` beside `organization` or `account` is that user's part of it. With `Accept: text/csv` all
/// of them come as CSV, without pages: a header line, then a line for each. A text that a spreadsheet
/// would take for a formula has a `'` in front of it. A CSV that breaks off in the middle does so with
/// the connection, never as if it were whole.
#[utoipa::path(
    get, path = "/api/v1/usage/records", operation_id = "listUsageRecords", tag = "Usage",
    params(RecordsQuery),
    responses((status = 200, description = "A page, newest first; or all of them as CSV.", content(
        (RecordList = "application/json"), (String = "text/csv"),
    ))),
)]
async fn records(
    State(services): State<Services>,
    call: Call,
    form: Form,
    Query(query): Query<RecordsQuery>,
) -> Result<Response, Failure> {
    let (page_size, page_token) = (query.page_size.0, query.page_token.clone());
    let inference_id = query.request_id.clone().unwrap_or_default();
    let (account, filter) = query.scope()?;
    let wanted = ListUsageRecordsRequest {
        account,
        page_size,
        page_token,
        inference_id,
        filter: Some(filter),
    };
    if form == Form::Csv {
        return csv::download(
            "usage-records.csv",
            record_columns(),
            wanted.page_token.clone(),
            move |page_token| {
                let page = records_page(
                    services.clone(),
                    call.clone(),
                    ListUsageRecordsRequest {
                        page_size: CSV_PAGE_ROWS,
                        page_token,
                        ..wanted.clone()
                    },
                );
                async move {
                    let page = page.await?;
                    Ok((
                        page.records.into_iter().map(record_row).collect(),
                        page.next_page_token,
                    ))
                }
            },
        )
        .await;
    }
    let page = records_page(services, call, wanted).await?;
    Ok(RecordList::reply(page.records, page.next_page_token)?.into_response())
}

async fn records_page(
    services: Services,
    call: Call,
    wanted: ListUsageRecordsRequest,
) -> Result<ListUsageRecordsResponse, Failure> {
    let answer = services
        .usage()
        .list_usage_records(call.request(wanted))
        .await?;
    Ok(answer.into_inner())
}

/// Sum usage
///
/// Of the account acted for, or of the one that is named, by whatever `group_by` lists; this calendar
/// month in UTC where no time is given. With `Accept: text/csv` all sums come as CSV, without pages.
#[utoipa::path(
    get, path = "/api/v1/usage", operation_id = "sumUsage", tag = "Usage", params(SumsQuery),
    responses((
        status = 200,
        description = "By time, newest first, then by list cost, dearest first; or all of them as CSV.",
        content((UsageSums = "application/json"), (String = "text/csv")),
    )),
)]
async fn sums(
    State(services): State<Services>,
    call: Call,
    form: Form,
    Query(query): Query<SumsQuery>,
) -> Result<Response, Failure> {
    let group_by = query.group_by.clone();
    let (page_size, page_token) = (query.page_size.0, query.page_token.clone());
    let (account, mut filter) = query.scope()?;
    if form == Form::Csv {
        // Its pages are asked for one after another, and a month may turn meanwhile.
        filter
            .end_time
            .get_or_insert_with(|| time::to_proto(time::now()));
    }
    let wanted = QueryUsageRequest {
        account,
        filter: Some(filter),
        group_by: group_by.to_proto(),
        page_size,
        page_token,
    };
    if form == Form::Csv {
        let columns = sum_columns(&group_by);
        return csv::download(
            "usage.csv",
            columns,
            wanted.page_token.clone(),
            move |page_token| {
                let page = sums_page(
                    services.clone(),
                    call.clone(),
                    QueryUsageRequest {
                        page_size: CSV_PAGE_ROWS,
                        page_token,
                        ..wanted.clone()
                    },
                );
                let group_by = group_by.clone();
                async move {
                    let page = page.await?;
                    let rows = page.sums.into_iter().map(|sum| sum_row(sum, &group_by));
                    Ok((rows.collect(), page.next_page_token))
                }
            },
        )
        .await;
    }
    let page = sums_page(services, call, wanted).await?;
    Ok(Reply::ok(&UsageSums::new(page, &group_by))?.into_response())
}

async fn sums_page(
    services: Services,
    call: Call,
    wanted: QueryUsageRequest,
) -> Result<QueryUsageResponse, Failure> {
    let answer = services.usage().query_usage(call.request(wanted)).await;
    let answer = answer.map_err(|error| Failure::from(error).with_field("start_time", "from"))?;
    Ok(answer.into_inner())
}
