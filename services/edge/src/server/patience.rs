//! How long an answer waits for a caller who does not read it. On HTTP/1 the connection's guard sees
//! that nothing leaves. On HTTP/2 a caller can leave one stream unread and keep its connection alive;
//! hyper then asks for no more of that answer, and what is behind it would be kept for ever.

use std::io;

use axum::body::{Body, Bytes};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt as _, StreamBody};
use keyward_runtime::serve::Process;
use tokio::sync::mpsc::{self, OwnedPermit, Sender};
use tokio_stream::wrappers::ReceiverStream;

use super::guard::WRITE_TIMEOUT;

type Piece = Result<Frame<Bytes>, axum::Error>;

/// The same body, given up if its reader takes nothing for as long as the guard would wait. One that
/// is in memory already keeps nothing behind it and stays as it is.
pub(super) fn patient(body: Body, process: &Process) -> Body {
    if body.size_hint().exact().is_some() {
        return body;
    }
    // One place for a piece, one for the error that ends an answer which was given up.
    let (sender, receiver) = mpsc::channel(2);
    if let Ok(end) = sender.clone().try_reserve_owned() {
        process.spawn(pump(body, sender, end));
    }
    Body::new(StreamBody::new(ReceiverStream::new(receiver)))
}

async fn pump(mut body: Body, sender: Sender<Piece>, end: OwnedPermit<Piece>) {
    loop {
        let piece = tokio::select! {
            piece = body.frame() => piece,
            () = sender.closed() => return,
        };
        let Some(piece) = piece else {
            return;
        };
        if sender.send_timeout(piece, WRITE_TIMEOUT).await.is_err() {
            // It must not look as if it had ended.
            end.send(Err(axum::Error::new(io::Error::from(
                io::ErrorKind::TimedOut,
            ))));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// A body that is fed by hand.
    fn fed() -> (Sender<Result<Bytes, Infallible>>, Body) {
        let (feed, pieces) = mpsc::channel(1);
        (feed, Body::from_stream(ReceiverStream::new(pieces)))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_is_given_up_and_does_not_look_ended() {
        let (feed, body) = fed();
        let mut read = patient(body, &Process::new());
        for piece in ["one", "two"] {
            feed.send(Ok(Bytes::from(piece))).await.unwrap();
        }
        tokio::time::timeout(2 * WRITE_TIMEOUT, feed.closed())
            .await
            .expect("what is behind the answer is let go");
        let first = read.frame().await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "one");
        assert!(read.frame().await.unwrap().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_comes_whole_whatever_its_pauses() {
        let (feed, body) = fed();
        let read = patient(body, &Process::new());
        let write = async move {
            for piece in ["one ", "two ", "three"] {
                tokio::time::sleep(2 * WRITE_TIMEOUT).await;
                feed.send(Ok(Bytes::from(piece))).await.unwrap();
            }
        };
        let (whole, ()) = tokio::join!(read.collect(), write);
        assert_eq!(whole.unwrap().to_bytes(), "one two three");
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_leaves_takes_what_is_behind_the_answer_along() {
        let (feed, body) = fed();
        drop(patient(body, &Process::new()));
        feed.closed().await;
    }
}
