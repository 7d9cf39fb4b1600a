//! Reading `text/event-stream`, however its bytes are cut: lines end in LF, CR or CRLF, a blank line
//! ends an event, `data` may have several lines, a byte order mark may stand before all.

use memchr::memchr2;

use crate::refusal::Garbled;

/// The longest line or event: above any image or recording that a model makes in one piece.
const EVENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What stands in a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// An event's data, its lines joined, and its name.
    Event {
        /// Empty where there is none.
        name: &'a str,
        /// As it is: JSON, or a mark like `[DONE]`.
        data: &'a [u8],
    },
    /// A comment, without its colon and the space after it.
    Comment(&'a [u8]),
}

/// Reads frames out of bytes that are fed to it in order.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// A line whose end has not come.
    line: Vec<u8>,
    name: String,
    data: Vec<u8>,
    has_data: bool,
    /// Whether the last byte was a CR, so that an LF now belongs to it.
    after_cr: bool,
    /// Whether the first line was read, before which a byte order mark may stand.
    begun: bool,
}

impl Reader {
    /// Takes the next bytes and hands on each frame that they complete.
    pub(crate) fn push<F>(&mut self, mut bytes: &[u8], mut frame: F) -> Result<(), Garbled>
    where
        F: FnMut(Frame<'_>) -> Result<(), Garbled>,
    {
        if !bytes.is_empty() && std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
            bytes = &bytes[1..];
        }
        while let Some(end) = memchr2(b'\n', b'\r', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            let is_cr = bytes[end] == b'\r';
            self.whole_line(line, &mut frame)?;
            bytes = match rest.strip_prefix(b"\n") {
                Some(rest) if is_cr => rest,
                _ => rest,
            };
            self.after_cr = is_cr && rest.is_empty();
        }
        self.line.extend_from_slice(bytes);
        self.bounded()
    }

    /// Takes the end of a line, whose beginning may have come before.
    fn whole_line<F>(&mut self, end: &[u8], frame: &mut F) -> Result<(), Garbled>
    where
        F: FnMut(Frame<'_>) -> Result<(), Garbled>,
    {
        if self.line.is_empty() {
            return self.take_line(end, frame);
        }
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(end);
        let taken = self.take_line(&line, frame);
        line.clear();
        self.line = line;
        taken
    }

    fn take_line<F>(&mut self, mut line: &[u8], frame: &mut F) -> Result<(), Garbled>
    where
        F: FnMut(Frame<'_>) -> Result<(), Garbled>,
    {
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return self.end_event(frame);
        }
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"" => return frame(Frame::Comment(value)),
            b"data" => self.add_data(value),
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
        self.bounded()
    }

    fn add_data(&mut self, value: &[u8]) {
        if std::mem::replace(&mut self.has_data, true) {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
    }

    fn end_event<F>(&mut self, frame: &mut F) -> Result<(), Garbled>
    where
        F: FnMut(Frame<'_>) -> Result<(), Garbled>,
    {
        let given = if std::mem::take(&mut self.has_data) {
            let (name, data) = (&self.name, &self.data);
            frame(Frame::Event { name, data })
        } else {
            Ok(())
        };
        self.name.clear();
        self.data.clear();
        given
    }

    fn bounded(&self) -> Result<(), Garbled> {
        if self.line.len().max(self.data.len()) > EVENT_BYTES_MAX {
            return Err(Garbled::new("an event of the stream is too long"));
        }
        Ok(())
    }
}

/// Writes an event without a name.
pub(crate) fn write_data(data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

/// Writes an event with a name.
pub(crate) fn write_event(name: &str, data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
    write_data(data, out);
}

/// Writes a comment.
pub(crate) fn write_comment(text: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b": ");
    out.extend_from_slice(text);
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests;
