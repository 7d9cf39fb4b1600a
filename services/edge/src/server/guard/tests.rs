//! Time-outs of a connection, in paused time.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::time::{Instant, timeout};

use super::{Guard, HEAD_TIMEOUT, LINGER, WRITE_TIMEOUT};

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_is_cut() {
    let (_caller, edge) = duplex(1024);
    let begun = Instant::now();
    let read = Guard::new(edge).read_u8().await;
    assert_eq!(read.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(begun.elapsed() >= HEAD_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_in_is_cut_and_a_pause_between_requests_is_not() {
    let (mut caller, edge) = duplex(1024);
    let mut guard = Guard::new(edge);
    let head = b"GET / HTTP/1.1\r\n\r\n";
    caller.write_all(head).await.unwrap();
    let mut read = [0; 18];
    guard.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, head);

    let mut next = [0; 18];
    let pause = timeout(3 * HEAD_TIMEOUT, guard.read_exact(&mut next)).await;
    assert!(pause.is_err(), "an idle connection may stay");

    let trickle = async {
        for byte in head {
            caller.write_all(&[*byte]).await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let (read, ()) = tokio::join!(guard.read_exact(&mut next), trickle);
    assert_eq!(read.unwrap_err().kind(), ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_reads_is_given_up() {
    let (_caller, edge) = duplex(16);
    let mut guard = Guard::new(edge);
    let begun = Instant::now();
    let written = guard.write_all(&[0; 64]).await;
    assert_eq!(written.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(begun.elapsed() >= WRITE_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_the_last_answer_is_thrown_away_for_a_while() {
    let (mut caller, edge) = duplex(64);
    let mut guard = Guard::new(edge);
    caller
        .write_all(b"POST / HTTP/1.1\r\ncontent-length: 900\r\n\r\n")
        .await
        .unwrap();
    guard.read_u8().await.unwrap();
    let begun = Instant::now();
    let body = [0; 200];
    let (closed, sent) = tokio::join!(guard.shutdown(), caller.write_all(&body));
    closed.unwrap();
    sent.unwrap();
    assert!(begun.elapsed() >= LINGER);
}
