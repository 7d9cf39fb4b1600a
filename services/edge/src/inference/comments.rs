//! Takes the comments out of an event stream, for callers that cannot read them: Google's own libraries
//! take a comment for a broken answer.

use axum::body::Bytes;
use http::{HeaderMap, HeaderName};
use keyward_proto::router::v1::CallForm;

/// By this Google's libraries say which they are.
const GOOGLES_LIBRARY: HeaderName = HeaderName::from_static("x-goog-api-client");

/// Whether who asks so for an answer could not read comments in it.
pub(super) fn are_unread(form: CallForm, headers: &HeaderMap) -> bool {
    form == CallForm::GeminiStreamGenerateContent && headers.contains_key(GOOGLES_LIBRARY)
}

/// What is left of a stream without its comments, however it is cut.
#[derive(Debug, Default)]
pub(super) struct Uncommented {
    is_mid_line: bool,
    is_comment: bool,
}

impl Uncommented {
    /// What is left of the next chunk.
    pub(super) fn pass(&mut self, chunk: &[u8]) -> Bytes {
        let mut kept = Vec::with_capacity(chunk.len());
        for line in chunk.split_inclusive(|byte| *byte == b'\n') {
            if !self.is_mid_line {
                self.is_comment = line.starts_with(b":");
            }
            self.is_mid_line = !line.ends_with(b"\n");
            if !self.is_comment {
                kept.extend_from_slice(line);
            }
        }
        kept.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str =
        ": waiting\n\ndata: {\"a\":\":\\n: b\"}\r\n\r\n: one\r\n\r\ndata: {}\n\n: x 0.00\n\n";
    const KEPT: &str = "\ndata: {\"a\":\":\\n: b\"}\r\n\r\n\r\ndata: {}\n\n\n";

    #[test]
    fn lines_of_comments_are_left_out_however_a_stream_is_cut() {
        for size in 1..=STREAM.len() {
            let mut uncommented = Uncommented::default();
            let chunks = STREAM.as_bytes().chunks(size);
            let kept: Vec<u8> = chunks.flat_map(|chunk| uncommented.pass(chunk)).collect();
            assert_eq!(String::from_utf8(kept).unwrap(), KEPT, "chunks of {size}");
        }
    }

    #[test]
    fn googles_libraries_alone_cannot_read_them() {
        let mut headers = HeaderMap::new();
        let form = CallForm::GeminiStreamGenerateContent;
        assert!(!are_unread(form, &headers));
        headers.insert(GOOGLES_LIBRARY, "google-genai-sdk/3.4.0".parse().unwrap());
        assert!(are_unread(form, &headers));
        assert!(!are_unread(CallForm::OpenaiChatCompletions, &headers));
    }
}
