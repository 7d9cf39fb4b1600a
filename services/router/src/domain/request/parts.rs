//! A body in parts (`multipart/form-data`, RFC 7578): where each part is, found in one pass. Nothing is
//! copied; files are never looked into, but for how long a sound is.

use std::ops::Range;

use memchr::memmem;

use super::RequestError;

/// The most parts of one body: a form has a dozen, an edit a few images more.
const PARTS_MAX: usize = 64;
/// The longest headers of one part.
const HEADERS_BYTES_MAX: usize = 8 * 1024;
/// The longest boundary, by RFC 2046.
const BOUNDARY_BYTES_MAX: usize = 70;
/// The longest text that routing reads.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// A part.
#[derive(Debug)]
struct Part {
    name: String,
    is_file: bool,
    /// From the dashes of its boundary to those of the next one.
    whole: Range<usize>,
    value: Range<usize>,
}

/// The parts of a body.
#[derive(Debug, Default)]
pub(super) struct Parts {
    boundary: String,
    /// Where the first boundary is: what stands before it is nobody's.
    start: usize,
    all: Vec<Part>,
}

impl Parts {
    /// Whether a body of this media type comes in parts.
    pub(super) fn are_in(content_type: &str) -> bool {
        let kind = content_type.split(';').next().unwrap_or("").trim();
        kind.eq_ignore_ascii_case("multipart/form-data")
    }

    /// Finds the parts.
    pub(super) fn read(content_type: &str, body: &[u8]) -> Result<Self, RequestError> {
        let boundary = boundary(content_type).ok_or_else(|| {
            broken("the content type names no boundary between the parts of the body")
        })?;
        let delimiter = format!("\r\n--{boundary}");
        let finder = memmem::Finder::new(&delimiter);
        let first = &delimiter.as_bytes()[2..];
        let mut at = match body.starts_with(first) {
            true => first.len(),
            false => finder.find(body).ok_or_else(unended)? + delimiter.len(),
        };
        let begin = at - first.len();
        let mut start = begin;
        let mut parts = Vec::new();
        while !body[at..].starts_with(b"--") {
            let rest = skip_line_end(body, at).ok_or_else(unended)?;
            let end = rest + finder.find(&body[rest..]).ok_or_else(unended)?;
            let next = end + "\r\n".len();
            parts.push(part(body, start..next, rest..end)?);
            if parts.len() > PARTS_MAX {
                return Err(broken("the body has more than 64 parts"));
            }
            (start, at) = (next, end + delimiter.len());
        }
        Ok(Self {
            boundary,
            start: begin,
            all: parts,
        })
    }

    /// The text of a part; two of that name are an error.
    pub(super) fn text<'a>(
        &self,
        name: &'static str,
        body: &'a [u8],
    ) -> Result<Option<&'a str>, RequestError> {
        let mut named = self.all.iter().filter(|part| part.name == name);
        let Some(part) = named.next() else {
            return Ok(None);
        };
        let wrong = |what: &str| Err(RequestError::new(Some(name), format!("`{name}` {what}")));
        if named.next().is_some() {
            return wrong("is given twice");
        }
        let value = &body[part.value.clone()];
        match std::str::from_utf8(value) {
            Ok(text) if text.len() <= TEXT_BYTES_MAX => Ok(Some(text)),
            _ => wrong("must be a text, and not a long one"),
        }
    }

    /// Where the value of a part is.
    pub(super) fn value(&self, name: &str) -> Option<Range<usize>> {
        let part = self.all.iter().find(|part| part.name == name)?;
        Some(part.value.clone())
    }

    /// What to cut so that a part is gone.
    pub(super) fn removals(&self, name: &str) -> impl Iterator<Item = Range<usize>> {
        let named = self.all.iter().filter(move |part| part.name == name);
        named.map(|part| part.whole.clone())
    }

    /// Where a part may be put in front of all others.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// A part with a text, to be put there.
    pub(super) fn with(&self, name: &str, text: &str) -> String {
        let boundary = &self.boundary;
        format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    }

    /// All of them: name, whether it is a file, and value.
    pub(super) fn all<'a>(
        &'a self,
        body: &'a [u8],
    ) -> impl Iterator<Item = (&'a str, bool, &'a [u8])> {
        let parts = self.all.iter();
        parts.map(|part| (&*part.name, part.is_file, &body[part.value.clone()]))
    }

    /// The files.
    pub(super) fn files(&self) -> impl Iterator<Item = Range<usize>> {
        let files = self.all.iter().filter(|part| part.is_file);
        files.map(|part| part.value.clone())
    }
}

fn part(body: &[u8], whole: Range<usize>, inner: Range<usize>) -> Result<Part, RequestError> {
    let text = &body[inner.clone()];
    let within = &text[..text.len().min(HEADERS_BYTES_MAX)];
    // A part may have no headers at all; then it has no name either.
    let end = memmem::find(within, b"\r\n\r\n").ok_or_else(|| broken("a part has no headers"))?;
    let headers = String::from_utf8_lossy(&within[..end]);
    let disposition = headers.split("\r\n").find_map(disposition);
    let disposition = disposition.ok_or_else(|| broken("a part has no name"))?;
    let name = parameter(disposition, "name").ok_or_else(|| broken("a part has no name"))?;
    Ok(Part {
        name,
        is_file: parameter(disposition, "filename").is_some(),
        whole,
        value: inner.start + end + 4..inner.end,
    })
}

fn disposition(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    name.trim()
        .eq_ignore_ascii_case("content-disposition")
        .then_some(value)
}

fn boundary(content_type: &str) -> Option<String> {
    let found = parameter(content_type, "boundary")?;
    (1..=BOUNDARY_BYTES_MAX)
        .contains(&found.len())
        .then_some(found)
}

/// A parameter of a header's value, with or without quotes.
fn parameter(value: &str, wanted: &str) -> Option<String> {
    let mut rest = value;
    while let Some((_, behind)) = rest.split_once(';') {
        let (name, text) = behind.trim_start().split_once('=')?;
        let (found, behind) = if let Some(quoted) = text.strip_prefix('"') {
            unquoted(quoted)?
        } else {
            let end = text.find(';').unwrap_or(text.len());
            (text[..end].trim().to_owned(), &text[end..])
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(found);
        }
        rest = behind;
    }
    None
}

/// A text up to its closing quote, and what is behind that.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut found = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((found, &text[at + 1..])),
            '\\' => found.push(chars.next()?.1),
            char => found.push(char),
        }
    }
    None
}

/// Behind the end of a boundary's line, which may have white space before it.
fn skip_line_end(body: &[u8], at: usize) -> Option<usize> {
    let rest = &body[at..];
    let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t'));
    let blank = blank.count();
    rest[blank..].starts_with(b"\r\n").then_some(at + blank + 2)
}

fn unended() -> RequestError {
    broken("the body's parts do not end as its content type says")
}

fn broken(message: &str) -> RequestError {
    RequestError::new(None, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TYPE: &str = "multipart/form-data; boundary=\"x y\"";
    const BODY: &[u8] = b"--x y\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n\
        --x y \r\ncontent-type: audio/wav\r\ncontent-disposition: form-data; filename=\"a;\\\"b.wav\"; name=file\r\n\r\n\
        \xff\x00--x y\r\n--x\r\n--x y--\r\n";

    #[test]
    fn parts_are_found_with_their_names_and_files_stay_whole() {
        let parts = Parts::read(TYPE, BODY).unwrap();
        assert_eq!(parts.text("model", BODY).unwrap(), Some("whisper-1"));
        assert_eq!(parts.text("prompt", BODY).unwrap(), None);
        let files: Vec<_> = parts.files().collect();
        assert_eq!(&BODY[files[0].clone()], b"\xff\x00--x y\r\n--x");
        assert_eq!(parts.text("file", BODY).unwrap_err().param, Some("file"));
    }

    #[test]
    fn what_is_no_body_in_parts_is_refused() {
        for (kind, body) in [
            ("multipart/form-data", BODY),
            ("multipart/form-data; boundary=", BODY),
            (TYPE, b"".as_slice()),
            (TYPE, &BODY[..BODY.len() - 6]),
            (TYPE, b"--x y\r\n\r\n--x y--"),
            (TYPE, b"--x y\r\na: b\r\n\r\nc\r\n--x y--"),
            (TYPE, b"--x y"),
        ] {
            assert!(Parts::read(kind, body).is_err(), "{kind} {body:?}");
        }
        let twice = b"--b\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n\
            --b\r\ncontent-disposition: form-data; name=a\r\n\r\n2\r\n--b--";
        let parts = Parts::read("multipart/form-data; boundary=b", twice).unwrap();
        assert!(parts.text("a", twice).is_err());
        let empty = Parts::read("multipart/form-data; boundary=b", b"--b--\r\n").unwrap();
        assert_eq!(empty.files().count(), 0);
    }

    proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(
            prop_oneof![Just(b'-'), Just(b'b'), Just(b'\r'), Just(b'\n'), Just(b':'), Just(b'"')],
            0..60,
        )) {
            let _ = Parts::read("multipart/form-data; boundary=b", &body);
        }
    }
}
