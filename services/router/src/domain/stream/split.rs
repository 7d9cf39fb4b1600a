//! Where events of a `text/event-stream` end, however chunks cut them: lines end in LF, CR or CRLF,
//! a blank line ends an event.

use memchr::memchr2;

/// Finds the ends of events in bytes that are fed to it in order.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// Whether the line being read has anything in it.
    in_line: bool,
    /// Whether the event being read has a line.
    in_event: bool,
    /// Whether the last byte was a CR, so that an LF now belongs to it.
    after_cr: bool,
}

impl Splitter {
    /// The end of the first event in `bytes`, if one ends there; the bytes up to it are consumed,
    /// else all of them. An event's end includes its blank line.
    pub(super) fn event_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        if self.after_cr && bytes.first() == Some(&b'\n') {
            at = 1;
        }
        if !bytes.is_empty() {
            self.after_cr = false;
        }
        while let Some(offset) = memchr2(b'\n', b'\r', &bytes[at..]) {
            self.in_line |= offset > 0;
            let is_cr = bytes[at + offset] == b'\r';
            at += offset + 1;
            if is_cr && bytes.get(at) == Some(&b'\n') {
                at += 1;
            } else if is_cr && at == bytes.len() {
                self.after_cr = true;
            }
            let blank = !std::mem::take(&mut self.in_line);
            if blank && std::mem::take(&mut self.in_event) {
                return Some(at);
            }
            self.in_event |= !blank;
        }
        self.in_line |= at < bytes.len();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Splitter;
    use proptest::prelude::*;

    /// Feeds pieces and gives the events found, and what is left.
    fn split(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let (mut splitter, mut events, mut open) = (Splitter::default(), Vec::new(), Vec::new());
        for piece in pieces {
            let mut rest = *piece;
            while let Some(end) = splitter.event_end(rest) {
                open.extend_from_slice(&rest[..end]);
                events.push(std::mem::take(&mut open));
                rest = &rest[end..];
            }
            open.extend_from_slice(rest);
        }
        (events, open)
    }

    #[test]
    fn every_line_end_counts() {
        let cases: &[(&str, &[&str], &str)] = &[
            (
                "data: a\n\ndata: b\n\n",
                &["data: a\n\n", "data: b\n\n"],
                "",
            ),
            ("data: a\r\n\r\ndata: b", &["data: a\r\n\r\n"], "data: b"),
            (
                "data: a\r\rdata: b\r\r",
                &["data: a\r\r", "data: b\r\r"],
                "",
            ),
            (": note\n\n", &[": note\n\n"], ""),
            ("data: a\ndata: b\n\n", &["data: a\ndata: b\n\n"], ""),
            ("\n\n\ndata: a\n\n", &["\n\n\ndata: a\n\n"], ""),
            ("data: a\n", &[], "data: a\n"),
        ];
        for (text, events, rest) in cases {
            let (found, open) = split(&[text.as_bytes()]);
            let events: Vec<_> = events
                .iter()
                .map(|event| event.as_bytes().to_vec())
                .collect();
            assert_eq!(
                (found, open),
                (events, rest.as_bytes().to_vec()),
                "{text:?}"
            );
        }
    }

    /// Events without line ends around them: where a CR ends a chunk, its LF comes one event later.
    fn trimmed(events: &[Vec<u8>]) -> Vec<String> {
        events
            .iter()
            .map(|event| String::from_utf8_lossy(event).trim().to_owned())
            .collect()
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            text in "((data: [a-z]{0,3}|:|event: x)?(\n|\r\n|\r)){0,12}",
            cuts in proptest::collection::vec(0_usize..80, 0..6),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.push(0);
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let (whole, _) = split(&[bytes]);
            let (cut, open) = split(&pieces);
            prop_assert_eq!(trimmed(&whole), trimmed(&cut));
            let mut all = cut.concat();
            all.extend(open);
            prop_assert_eq!(all, bytes);
        }
    }
}
