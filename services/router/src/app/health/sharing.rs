//! Tells other routers what is learnt here, and takes in what they have learnt.

use std::sync::Arc;

use futures::StreamExt as _;
use keyward_limits::{Board, Post};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::HealthBook;
use crate::domain::health::Hint;

/// Hints on their way to Redis: more than come within the moment that it may be slow. What is beyond
/// is not told.
pub(crate) const HINTS_MAX: usize = 1_024;

/// Shares until the process stops.
pub(crate) async fn share(
    board: Board,
    hints: mpsc::Receiver<Hint>,
    health: Arc<HealthBook>,
    stopping: CancellationToken,
) {
    let posts = ReceiverStream::new(hints).map(|hint| Post {
        name: hint.name(),
        text: hint.written(),
        lives_ms: hint.for_ms,
    });
    let heard = |text: &str, lives_ms| {
        if let Some(hint) = Hint::read(text, lives_ms) {
            health.heard(&hint);
        }
    };
    board.run(posts, heard, stopping).await;
}
