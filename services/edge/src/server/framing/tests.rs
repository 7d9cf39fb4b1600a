//! Where messages end, and which heads are refused.

use super::{Fault, Framing, HEAD_BYTES_MAX, Step};

fn check(head: &str, expect: Step) {
    let text = format!("POST / HTTP/1.1\r\n{head}\r\n");
    let expect = match expect {
        Step::Pass(_) => Step::Pass(text.len()),
        other => other,
    };
    assert_eq!(Framing::new().advance(text.as_bytes()), expect, "{head}");
}

#[test]
fn heads_that_can_be_read_in_two_ways_are_refused() {
    let ambiguous = Step::Refuse(Fault::Ambiguous);
    let pass = Step::Pass(0);
    check("", pass);
    check("Content-Length: 5\r\n", pass);
    check("Content-Length: 5\r\ncontent-length:5 \r\n", pass);
    check("Transfer-Encoding: Chunked\r\n", pass);
    check("Content-Length: 5\r\nContent-Length: 6\r\n", ambiguous);
    check("Content-Length: 5, 5\r\n", ambiguous);
    check("Content-Length: +5\r\n", ambiguous);
    check("Content-Length: \r\n", ambiguous);
    check("Content-Length: 99999999999999999999\r\n", ambiguous);
    check(
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        ambiguous,
    );
    check(
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        ambiguous,
    );
    check(
        "content-length: 5\r\nTRANSFER-ENCODING:chunked\r\n",
        ambiguous,
    );
    check("Transfer-Encoding: gzip, chunked\r\n", ambiguous);
    check("Transfer-Encoding: xchunked\r\n", ambiguous);
    check(
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        ambiguous,
    );
}

#[test]
fn lines_that_are_no_headers_are_refused() {
    let malformed = Step::Refuse(Fault::Malformed);
    for line in [
        "Transfer-Encoding : chunked",
        "a: b\r\n c: d",
        "Transfer-Encoding: chunked\rx: y",
        "\u{b}Transfer-Encoding: chunked",
        "a: \0",
        ": x",
        "no colon",
    ] {
        check(&format!("{line}\r\n"), malformed);
    }
    for request_line in [
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET / HTTP/3",
        " ",
    ] {
        let head = format!("{request_line}\r\nhost: x\r\n\r\n");
        let step = Framing::new().advance(head.as_bytes());
        assert_eq!(step, malformed, "{request_line:?}");
    }
}

#[test]
fn large_heads_are_refused() {
    let large = "a: b\r\n".repeat(101);
    check(&large, Step::Refuse(Fault::TooLarge));
    check(&"a: b\r\n".repeat(100), Step::Pass(0));
    let endless = vec![b'a'; HEAD_BYTES_MAX + 1];
    let step = Framing::new().advance(&endless);
    assert_eq!(step, Step::Refuse(Fault::TooLarge));
}

#[test]
fn bodies_end_where_they_say_whatever_pieces_they_come_in() {
    let messages: [&[u8]; 4] = [
        b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /b HTTP/1.1\r\ncontent-length: 11\r\n\r\nGET / HTTP/\n",
        b"POST /c HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nt: 1\r\n\r\n",
        b"GET /d HTTP/1.0\n\n",
    ];
    let messages = [
        messages[0],
        &messages[1][..messages[1].len() - 1],
        messages[2],
        messages[3],
    ];
    let all = messages.concat();
    for size in 1..all.len() {
        let mut framing = Framing::new();
        let mut ends = Vec::new();
        let (mut passed, mut arrived) = (0, 0);
        while passed < all.len() {
            arrived = (arrived + size).min(all.len());
            while passed < arrived {
                match framing.advance(&all[passed..arrived]) {
                    Step::Pass(count) => passed += count,
                    Step::More => break,
                    Step::Refuse(fault) => panic!("{fault:?} at {passed}"),
                }
                if framing.at_head() {
                    ends.push(passed);
                }
            }
        }
        let expect: Vec<usize> = messages
            .iter()
            .scan(0, |end, message| {
                *end += message.len();
                Some(*end)
            })
            .collect();
        assert_eq!(ends, expect, "in pieces of {size}");
    }
}

#[test]
fn the_preface_of_http2_ends_the_following() {
    let mut framing = Framing::new();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_eq!(framing.advance(preface), Step::Pass(18));
    assert_eq!(framing.advance(&preface[18..]), Step::Pass(6));
    assert_eq!(framing.advance(&[0xff; 100]), Step::Pass(100));
}

#[test]
fn a_chunk_that_is_none_is_refused() {
    for body in ["x\r\n", "5\n", "5\r\n1234567\r\n", "fffffffffffffffff\r\n"] {
        let mut framing = Framing::new();
        framing.advance(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
        let step = framing.advance(body.as_bytes());
        let step = match step {
            Step::Pass(count) if count < body.len() => framing.advance(&body.as_bytes()[count..]),
            step => step,
        };
        assert_eq!(step, Step::Refuse(Fault::BadChunk), "{body}");
    }
}
