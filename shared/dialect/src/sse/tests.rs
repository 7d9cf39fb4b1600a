use proptest::prelude::*;

use super::{Frame, Reader};

/// Frames as text: an event as `name|data`, a comment as `:text`.
fn frames(pieces: &[&[u8]]) -> Vec<String> {
    let (mut reader, mut found) = (Reader::default(), Vec::new());
    for piece in pieces {
        let taken = reader.push(piece, |frame| {
            found.push(match frame {
                Frame::Event { name, data } => format!("{name}|{}", String::from_utf8_lossy(data)),
                Frame::Comment(text) => format!(":{}", String::from_utf8_lossy(text)),
            });
            Ok(())
        });
        taken.unwrap();
    }
    found
}

#[test]
fn whatever_the_format_allows_is_read() {
    let cases: &[(&str, &[&str])] = &[
        ("data: a\n\ndata:b\n\n", &["|a", "|b"]),
        ("event: x\r\ndata: a\r\n\r\n", &["x|a"]),
        ("data: a\r\rdata: b\r\r", &["|a", "|b"]),
        ("\u{feff}data: a\n\n", &["|a"]),
        (
            ": OPENROUTER PROCESSING\n\ndata: a\n\n",
            &[":OPENROUTER PROCESSING", "|a"],
        ),
        ("data: a\ndata: b\ndata:\n\n", &["|a\nb\n"]),
        ("id: 1\nretry: 5\nevent: lost\n\ndata\n\n", &["|"]),
        ("data: cut", &[]),
        ("data: cut\n", &[]),
    ];
    for (text, expect) in cases {
        assert_eq!(frames(&[text.as_bytes()]), *expect, "{text:?}");
    }
}

proptest! {
    #[test]
    fn cuts_change_nothing(
        text in "((data: ?[a-zé☃]{0,4}|: ?[a-z]{0,3}|event: x|\u{feff})?(\n|\r\n|\r)){0,14}",
        cuts in proptest::collection::vec(0_usize..120, 0..8),
    ) {
        let bytes = text.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(frames(&pieces), frames(&[bytes]));
    }
}
