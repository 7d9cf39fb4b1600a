//! Tables as CSV (RFC 4180), page by page as the caller reads: however long a table is, one page of
//! it is in memory.

use std::io;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use futures::{Stream, StreamExt as _, stream};
use http::header;

use crate::failure::Failure;
use crate::rest::{CALL_TIMEOUT, late};

/// A line, cell by cell.
#[derive(Debug, Default)]
pub(super) struct Row(Vec<String>);

/// Lines, and where the next ones start; empty after the last.
pub(super) type Rows = (Vec<Row>, String);

impl Row {
    /// Adds a text that is not all ours. A spreadsheet takes a cell that begins like a formula for
    /// one, and would run it: that cell gets a `'` in front.
    pub(super) fn text(&mut self, text: &str) {
        let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
        self.0.push(match formula {
            true => format!("'{text}"),
            false => text.to_owned(),
        });
    }

    /// Adds a figure, a time or a word of ours.
    pub(super) fn value(&mut self, value: &impl ToString) {
        self.0.push(value.to_string());
    }

    /// The same; an empty cell where there is none.
    pub(super) fn maybe(&mut self, value: Option<&impl ToString>) {
        self.0
            .push(value.map(ToString::to_string).unwrap_or_default());
    }
}

/// A table as a file to download. What fails with the first page is told as an error; what fails
/// later breaks the connection off, so that nobody takes a part for the whole.
pub(super) async fn download<F, P>(
    name: &str,
    columns: Vec<String>,
    start: String,
    fetch: F,
) -> Result<Response, Failure>
where
    F: Fn(String) -> P + Send + 'static,
    P: Future<Output = Result<Rows, Failure>> + Send + 'static,
{
    let (rows, next) = fetch(start).await?;
    let first = encode(std::iter::once(Row(columns)).chain(rows))?;
    let body = stream::once(async { Ok(first) }).chain(rest(next, fetch));
    let headers = [
        (
            header::CONTENT_TYPE,
            "text/csv; charset=utf-8; header=present".to_owned(),
        ),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
        (header::VARY, "accept".to_owned()),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// The pages from there on. Each is asked for when the one before was taken, and may take as long as a
/// call of its own.
fn rest<F, P>(start: String, fetch: F) -> impl Stream<Item = io::Result<Bytes>> + Send
where
    F: Fn(String) -> P + Send + 'static,
    P: Future<Output = Result<Rows, Failure>> + Send + 'static,
{
    stream::try_unfold((start, fetch), |(start, fetch)| async move {
        if start.is_empty() {
            return Ok(None);
        }
        let page = tokio::time::timeout(CALL_TIMEOUT, fetch(start)).await;
        let page = page.unwrap_or_else(|_| Err(late()));
        let page = page.and_then(|(rows, next)| Ok((encode(rows)?, next)));
        match page {
            Ok((bytes, next)) => Ok(Some((bytes, (next, fetch)))),
            Err(failure) => {
                tracing::warn!(reason = failure.reason().as_str(), "a download broke off");
                Err(io::Error::other("the rest cannot be read"))
            }
        }
    })
}

fn encode(rows: impl IntoIterator<Item = Row>) -> Result<Bytes, Failure> {
    let broken = || Failure::broken_contract("a table cannot be written");
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for Row(cells) in rows {
        writer.write_record(&cells).map_err(|_| broken())?;
    }
    let bytes = writer.into_inner().map_err(|_| broken())?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::{CALL_TIMEOUT, Row, Rows, download, encode};
    use crate::failure::Failure;

    fn line(fill: impl FnOnce(&mut Row)) -> String {
        let mut row = Row::default();
        fill(&mut row);
        String::from_utf8(encode([row]).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn cells_are_quoted_as_rfc_4180_says() {
        let text = line(|row| {
            row.text("a,b");
            row.text("say \"hi\"");
            row.text("two\r\nlines");
            row.maybe(None::<&u32>);
            row.value(&-5);
        });
        assert_eq!(text, "\"a,b\",\"say \"\"hi\"\"\",\"two\r\nlines\",,-5\r\n");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for (text, expect) in [
            ("=1+1", "'=1+1\r\n"),
            ("+1", "'+1\r\n"),
            ("-1", "'-1\r\n"),
            ("@SUM(A1)", "'@SUM(A1)\r\n"),
            ("\t=1", "'\t=1\r\n"),
            ("a=1", "a=1\r\n"),
        ] {
            assert_eq!(line(|row| row.text(text)), expect);
        }
    }

    async fn page(token: String) -> Result<Rows, Failure> {
        let mut row = Row::default();
        row.text(&token);
        match token.as_str() {
            "fail" => Err(Failure::not_found("gone")),
            "last" => Ok((vec![row], String::new())),
            _ => Ok((vec![row], "last".to_owned())),
        }
    }

    #[tokio::test]
    async fn pages_follow_each_other() {
        let columns = vec!["column".to_owned()];
        let response = download("t.csv", columns, "first".to_owned(), page).await;
        let body = response.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.to_bytes(), "column\r\nfirst\r\nlast\r\n");
    }

    #[tokio::test]
    async fn a_part_is_not_taken_for_the_whole() {
        assert!(
            download("t.csv", vec![], "fail".to_owned(), page)
                .await
                .is_err()
        );
        let then_fails = |token: String| async move {
            match token.as_str() {
                "fail" => page(token).await,
                _ => Ok((vec![], "fail".to_owned())),
            }
        };
        let columns = vec!["column".to_owned()];
        let response = download("t.csv", columns, String::new(), then_fails).await;
        assert!(response.unwrap().into_body().collect().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_that_never_comes_is_not_waited_for_for_ever() {
        let then_hangs = |token: String| async move {
            match token.as_str() {
                "hang" => std::future::pending().await,
                _ => Ok((vec![], "hang".to_owned())),
            }
        };
        let response = download("t.csv", vec![], String::new(), then_hangs).await;
        let body = response.unwrap().into_body().collect();
        let body = tokio::time::timeout(2 * CALL_TIMEOUT, body).await;
        assert!(body.expect("it ends by itself").is_err());
    }
}
