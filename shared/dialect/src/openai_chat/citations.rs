//! Citations of web pages: `annotations` of a message.

use serde::Deserialize;
use serde_json::Value;

use crate::canonical::Citation;
use crate::json::Object;

/// An annotation; only citations of pages are known.
#[derive(Debug, Deserialize)]
pub(super) struct Annotation {
    url_citation: Option<UrlCitation>,
}

#[derive(Debug, Deserialize)]
struct UrlCitation {
    url: String,
    title: Option<String>,
    content: Option<String>,
    start_index: Option<u64>,
    end_index: Option<u64>,
}

pub(super) fn read(annotations: Option<Vec<Annotation>>) -> Vec<Citation> {
    let annotations = annotations.unwrap_or_default().into_iter();
    annotations
        .filter_map(|one| one.url_citation)
        .map(UrlCitation::citation)
        .collect()
}

impl UrlCitation {
    fn citation(self) -> Citation {
        Citation {
            url: self.url,
            title: self.title,
            cited: self.content,
            start: self.start_index,
            end: self.end_index,
        }
    }
}

/// Writes a citation of the text between two characters, where it does not say itself between which.
pub(super) fn write(citation: &Citation, start: u64, end: u64) -> Value {
    let cited = Object::default()
        .with("start_index", citation.start.unwrap_or(start))
        .with("end_index", citation.end.unwrap_or(end))
        .with("title", citation.title.clone().unwrap_or_default())
        .with("url", citation.url.clone())
        .maybe("content", citation.cited.clone());
    Object::typed("url_citation")
        .with("url_citation", cited)
        .into()
}
