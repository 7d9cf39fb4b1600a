//! Which form of an answer a caller wants: JSON, unless `Accept` prefers CSV, or a page.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};

use crate::failure::Failure;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Csv,
}

impl<S: Sync> FromRequestParts<S> for Form {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(Self::of(&parts.headers))
    }
}

impl Form {
    fn of(headers: &HeaderMap) -> Self {
        match prefers(headers, "text/csv") {
            true => Self::Csv,
            false => Self::Json,
        }
    }
}

/// The form of something that can be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageForm {
    Json,
    Html,
}

impl<S: Sync> FromRequestParts<S> for PageForm {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        Ok(match prefers(&parts.headers, "text/html") {
            true => Self::Html,
            false => Self::Json,
        })
    }
}

/// Whether that form is named and nothing else that fits is liked better; among equals what is named
/// first, and what is named before what is meant by `*`.
fn prefers(headers: &HeaderMap, form: &str) -> bool {
    let (mut other, mut json) = (0, 0);
    let mut other_first = true;
    let values = headers.get_all(header::ACCEPT).iter();
    let ranges = values.filter_map(|value| value.to_str().ok());
    for range in ranges.flat_map(|value| value.split(',')) {
        let (name, weight) = weighed(range);
        match name.as_str() {
            name if name == form => other = weight,
            "application/json" | "application/*" => {
                json = weight;
                other_first = other > 0;
            }
            _ => {}
        }
    }
    other > 0 && (other > json || other == json && other_first)
}

/// A media range and its weight in thousandths.
fn weighed(range: &str) -> (String, u32) {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let weight = parts
        .find_map(|part| part.strip_prefix("q="))
        .map_or(1000, thousandths);
    (name, weight)
}

/// A weight from 0 to 1 of up to three decimals; what is none counts as nothing.
fn thousandths(text: &str) -> u32 {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let padded = format!("{decimals:0<3}");
    match (whole, padded.len(), padded.parse::<u32>()) {
        ("1", _, _) => 1000,
        ("0", 3, Ok(weight)) => weight,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::Form;

    fn check(accept: Option<&str>, expect: Form) {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        }
        assert_eq!(Form::of(&headers), expect, "{accept:?}");
    }

    #[test]
    fn csv_comes_only_where_it_is_asked_for() {
        check(None, Form::Json);
        check(Some("*/*"), Form::Json);
        check(Some("text/html"), Form::Json);
        check(Some("application/json"), Form::Json);
        check(Some("text/csv"), Form::Csv);
        check(Some("Text/CSV; charset=utf-8"), Form::Csv);
        check(Some("text/csv, */*;q=0.1"), Form::Csv);
        check(Some("text/csv, application/json"), Form::Csv);
        check(Some("application/json, text/csv"), Form::Json);
        check(Some("application/json;q=0.5, text/csv;q=0.75"), Form::Csv);
        check(Some("text/csv;q=0.5, application/json"), Form::Json);
        check(Some("text/csv;q=0"), Form::Json);
    }
}
