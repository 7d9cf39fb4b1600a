//! Where HTTP/1 messages begin and end, and heads that two readers could take for different ones.
//! Pure: bytes in, verdicts out.
//!
//! hyper resolves such heads by itself (it drops `Content-Length` beside `Transfer-Encoding`), so a
//! service behind it cannot see them any more; a proxy in front may have resolved them otherwise,
//! which is how requests are smuggled. They are refused before hyper reads them.

use memchr::memchr;

/// The most bytes of a head, as hyper's own bound.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The most headers of a head: hyper's own default.
const HEADERS_MAX: usize = 100;

/// The header by which a refused head is told to the service. A caller who sends it is refused too.
pub(crate) const MALFORMED: &str = "keyward-malformed";

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It does not say unmistakably where its body ends.
    Ambiguous,
    /// It is larger than allowed.
    TooLarge,
    /// A line of it is no request line or header.
    Malformed,
    /// The body's chunks are none.
    BadChunk,
}

/// What to do with bytes that have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many from the front may be passed on, at least one.
    Pass(usize),
    /// A head that is not complete.
    More,
    /// Pass none of it on.
    Refuse(Fault),
}

/// Follows the messages of one connection.
#[derive(Debug)]
pub(crate) struct Framing {
    state: State,
    seen: Seen,
}

/// How far an incomplete head was looked through, so that one which trickles in is not looked
/// through again with every byte.
#[derive(Debug, Default)]
struct Seen {
    lines_end: usize,
    begun: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Body {
        left: u64,
    },
    Chunked(Chunk),
    /// Not HTTP/1: nothing to follow.
    Opaque,
}

/// Where in a chunked body (RFC 9112 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    Size(u64),
    Extension(u64),
    SizeLineFeed(u64),
    Data(u64),
    DataReturn,
    DataLineFeed,
    TrailerStart,
    Trailer,
    LastLineFeed,
    End,
}

impl Framing {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Head,
            seen: Seen::default(),
        }
    }

    /// Whether the next bytes open a message.
    pub(crate) fn at_head(&self) -> bool {
        self.state == State::Head
    }

    /// Takes the messages for something else from here on.
    pub(crate) fn give_up(&mut self) {
        self.state = State::Opaque;
    }

    /// Looks at `bytes`, which follow what was passed before.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Step {
        match self.state {
            State::Head => self.head(bytes),
            State::Body { left } => {
                let here = left.min(bytes.len() as u64);
                self.state = match left - here {
                    0 => State::Head,
                    left => State::Body { left },
                };
                // Bounded by the length of a slice.
                Step::Pass(usize::try_from(here).unwrap_or(bytes.len()))
            }
            State::Chunked(chunk) => self.chunked(chunk, bytes),
            State::Opaque => Step::Pass(bytes.len()),
        }
    }

    fn head(&mut self, bytes: &[u8]) -> Step {
        let Some(length) = self.seen.head_length(bytes) else {
            return match bytes.len() > HEAD_BYTES_MAX {
                true => Step::Refuse(Fault::TooLarge),
                false => Step::More,
            };
        };
        if length > HEAD_BYTES_MAX {
            return Step::Refuse(Fault::TooLarge);
        }
        self.seen = Seen::default();
        match body_of(&bytes[..length]) {
            Ok(state) => {
                self.state = state;
                Step::Pass(length)
            }
            Err(fault) => Step::Refuse(fault),
        }
    }

    fn chunked(&mut self, mut chunk: Chunk, bytes: &[u8]) -> Step {
        let mut at = 0;
        while at < bytes.len() && chunk != Chunk::End {
            if let Chunk::Data(left) = chunk {
                let here = left.min((bytes.len() - at) as u64);
                at += usize::try_from(here).unwrap_or(bytes.len() - at);
                chunk = match left - here {
                    0 => Chunk::DataReturn,
                    left => Chunk::Data(left),
                };
                continue;
            }
            match chunk.next(bytes[at]) {
                Some(next) => chunk = next,
                None => return Step::Refuse(Fault::BadChunk),
            }
            at += 1;
        }
        self.state = match chunk {
            Chunk::End => State::Head,
            chunk => State::Chunked(chunk),
        };
        Step::Pass(at)
    }
}

impl Chunk {
    /// After one byte that is not chunk data; `None` where it cannot stand.
    fn next(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Size(size) | Self::Extension(size), b'\r') => Self::SizeLineFeed(size),
            (Self::Size(size), b';' | b' ' | b'\t') => Self::Extension(size),
            (Self::Size(size), digit) => {
                let digit = char::from(digit).to_digit(16)?;
                Self::Size(size.checked_mul(16)?.checked_add(u64::from(digit))?)
            }
            (Self::Extension(_), b'\n') => return None,
            (Self::Extension(size), _) => Self::Extension(size),
            (Self::SizeLineFeed(0) | Self::Trailer, b'\n') => Self::TrailerStart,
            (Self::SizeLineFeed(size), b'\n') => Self::Data(size),
            (Self::DataReturn, b'\r') => Self::DataLineFeed,
            (Self::DataLineFeed, b'\n') => Self::Size(0),
            (Self::TrailerStart, b'\r') => Self::LastLineFeed,
            (Self::TrailerStart | Self::Trailer, _) => Self::Trailer,
            (Self::LastLineFeed, b'\n') => Self::End,
            _ => return None,
        })
    }
}

impl Seen {
    /// How long the head at the front is, with the empty line that ends it; `None` if that is not
    /// there.
    fn head_length(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(length) = memchr(b'\n', &bytes[self.lines_end..]) {
            let line = trimmed(&bytes[self.lines_end..self.lines_end + length]);
            self.lines_end += length + 1;
            match (line.is_empty(), self.begun) {
                (true, true) => return Some(self.lines_end),
                // Empty lines before a request line are passed over, as hyper does.
                (true, false) => {}
                (false, _) => self.begun = true,
            }
        }
        None
    }
}

/// What follows a complete head.
fn body_of(head: &[u8]) -> Result<State, Fault> {
    let mut lines = head
        .split(|byte| *byte == b'\n')
        .map(trimmed)
        .filter(|line| !line.is_empty());
    let request_line = lines.next().unwrap_or_default();
    if request_line == b"PRI * HTTP/2.0" {
        return Ok(State::Opaque);
    }
    if !is_request_line(request_line) {
        return Err(Fault::Malformed);
    }
    let mut length: Option<u64> = None;
    let mut chunked = false;
    for (index, line) in lines.enumerate() {
        if index == HEADERS_MAX {
            return Err(Fault::TooLarge);
        }
        let (name, value) = name_and_value(line).ok_or(Fault::Malformed)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            let found = number(value).ok_or(Fault::Ambiguous)?;
            if length.is_some_and(|earlier| earlier != found) {
                return Err(Fault::Ambiguous);
            }
            length = Some(found);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Fault::Ambiguous);
            }
            chunked = true;
        }
    }
    match (chunked, length) {
        (true, Some(_)) => Err(Fault::Ambiguous),
        (true, None) if request_line.ends_with(b"HTTP/1.0") => Err(Fault::Ambiguous),
        (true, None) => Ok(State::Chunked(Chunk::Size(0))),
        (false, Some(0) | None) => Ok(State::Head),
        (false, Some(left)) => Ok(State::Body { left }),
    }
}

/// A method, a target and a version with one space between them.
fn is_request_line(line: &[u8]) -> bool {
    let mut parts = line.split(|byte| *byte == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    method.is_some_and(is_token)
        && target
            .is_some_and(|target| !target.is_empty() && !target.iter().copied().any(is_control))
        && matches!(version, Some(b"HTTP/1.1" | b"HTTP/1.0"))
        && parts.next().is_none()
}

/// A header's parts; `None` where the line is none, such as one that goes on from the line before.
fn name_and_value(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', line)?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    let harmless = |byte: &u8| *byte == b'\t' || !is_control(*byte);
    (is_token(name) && value.iter().all(harmless)).then_some((name, value))
}

/// A token of RFC 9110, §5.6.2.
fn is_token(text: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(allowed)
}

fn is_control(byte: u8) -> bool {
    byte.is_ascii_control()
}

fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A line without the return before its line feed.
fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests;
