//! What a stream has delivered: its text as far as it is kept for counting, and how long it was.

/// Text that is kept, as it is written in JSON; of what is beyond only the length is.
const KEPT_BYTES_MAX: usize = 128 * 1024;

/// The text of one stream so far.
#[derive(Debug, Default)]
pub(crate) struct DeliveredText {
    kept: Vec<u8>,
    bytes: usize,
    chunks: u64,
    /// How many bytes there were when the provider reported usage last.
    bytes_at_report: usize,
}

impl DeliveredText {
    /// Takes a text in.
    pub(super) fn push(&mut self, text: &[u8]) {
        let room = KEPT_BYTES_MAX - self.kept.len();
        self.kept.extend_from_slice(&text[..text.len().min(room)]);
        self.bytes += text.len();
    }

    /// A chunk with content passed.
    pub(super) fn chunk(&mut self) {
        self.chunks += 1;
    }

    /// The provider reported usage: of all until here.
    pub(super) fn reported(&mut self) {
        self.bytes_at_report = self.bytes;
    }

    /// The text that no report has counted yet, as far as it was kept, and how many bytes there are
    /// beyond.
    pub(crate) fn uncounted(&self) -> (&[u8], usize) {
        let from = self.bytes_at_report.min(self.kept.len());
        let kept = &self.kept[from..];
        (kept, self.bytes - self.bytes_at_report - kept.len())
    }

    /// Whether no report has counted any of it.
    pub(crate) fn is_uncounted(&self) -> bool {
        self.bytes_at_report == 0
    }

    /// Chunks with content.
    pub(crate) fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Whether anything was delivered at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0 && self.chunks == 0
    }

    /// At least so many tokens: what costs nothing to say while it passes. A chunk is a token or
    /// more, and so are four bytes of most texts.
    pub(crate) fn tokens_at_least(&self) -> u64 {
        (self.bytes as u64 / 4).max(self.chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_kept_up_to_a_bound_and_measured_beyond() {
        let mut text = DeliveredText::default();
        assert!(text.is_empty());
        text.push(b"abc");
        assert!(!text.is_empty());
        text.chunk();
        assert_eq!(text.uncounted(), (&b"abc"[..], 0));
        assert!(text.is_uncounted());
        assert_eq!(text.tokens_at_least(), 1);
        text.reported();
        assert_eq!(text.uncounted(), (&b""[..], 0));
        assert!(!text.is_uncounted());
        text.push(b"defghijkl");
        assert_eq!(text.uncounted(), (&b"defghijkl"[..], 0));
        assert_eq!(text.tokens_at_least(), 3);
        text.push(&vec![b'x'; KEPT_BYTES_MAX]);
        let (kept, beyond) = text.uncounted();
        assert_eq!((kept.len(), beyond), (KEPT_BYTES_MAX - 3, 12));
        text.reported();
        text.push(b"end");
        assert_eq!(text.uncounted(), (&b""[..], 3));
    }
}
