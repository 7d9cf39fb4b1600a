//! Reading a request's body within bounds: of size, and of how long a caller may be silent.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::time::Instant;

use crate::failure::Failure;

/// How long a caller may send nothing within a body.
const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a body may be waited for in all: 32 MiB at half a megabit a second, and an end to one
/// that trickles in.
const BODY_TIMEOUT: Duration = Duration::from_mins(10);

/// The body of a request, read piece by piece.
pub(crate) struct BodyReader {
    body: Body,
    limit: usize,
    left: usize,
    /// How long it may still be waited for.
    patience: Duration,
}

impl BodyReader {
    /// Refuses at once what says that it is too large, or not plain.
    pub(crate) fn new(headers: &HeaderMap, body: Body, limit: usize) -> Result<Self, Failure> {
        let encoding = headers.get(header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            let name = header::CONTENT_ENCODING.as_str();
            return Err(Failure::invalid(
                name,
                "compressed bodies are not read here",
            ));
        }
        let announced = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse::<u64>().ok());
        match announced {
            Some(length) if length > limit as u64 => Err(Failure::body_too_large(limit)),
            _ => Ok(Self {
                body,
                limit,
                left: limit,
                patience: BODY_TIMEOUT,
            }),
        }
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let begun = Instant::now();
            let limit = BODY_IDLE_TIMEOUT.min(self.patience);
            let frame = tokio::time::timeout(limit, self.body.frame())
                .await
                .map_err(|_| Failure::invalid("", "the rest of the body did not come in time"))?;
            self.patience = self.patience.saturating_sub(begun.elapsed());
            let Some(frame) = frame else {
                return Ok(None);
            };
            let frame = frame.map_err(|_| Failure::invalid("", "the body broke off"))?;
            // Trailers mean nothing to us.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            self.left = self
                .left
                .checked_sub(data.len())
                .ok_or_else(|| Failure::body_too_large(self.limit))?;
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }

    /// All of it.
    pub(crate) async fn all(mut self) -> Result<Bytes, Failure> {
        let Some(first) = self.next().await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.next().await? else {
            return Ok(first);
        };
        let mut whole = BytesMut::from(first);
        whole.extend_from_slice(&second);
        while let Some(piece) = self.next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use axum::body::Body;
    use bytes::Bytes;
    use futures::{StreamExt as _, stream};
    use http::HeaderMap;
    use tokio::time::{Instant, sleep};

    use super::{BODY_IDLE_TIMEOUT, BODY_TIMEOUT, BodyReader};

    /// So many bytes, each after a pause.
    fn trickling(bytes: usize, pause: Duration) -> BodyReader {
        let bytes = stream::iter(0..bytes).then(move |_| async move {
            sleep(pause).await;
            Ok::<_, Infallible>(Bytes::from_static(b"x"))
        });
        let body = Body::from_stream(bytes);
        BodyReader::new(&HeaderMap::new(), body, 1024).unwrap_or_else(|_| unreachable!())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_pause_but_not_trickle_for_ever() {
        let pause = BODY_IDLE_TIMEOUT / 2;
        assert_eq!(trickling(10, pause).all().await.unwrap().len(), 10);
        let begun = Instant::now();
        assert!(trickling(1000, pause).all().await.is_err());
        assert!((BODY_TIMEOUT..BODY_TIMEOUT * 2).contains(&begun.elapsed()));
        assert!(trickling(1, 2 * BODY_IDLE_TIMEOUT).all().await.is_err());
    }
}
