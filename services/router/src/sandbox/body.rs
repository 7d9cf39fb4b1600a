//! A body that plays steps: bytes, pauses, and a break as of a lost connection.

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame};
use tokio::time::Sleep;

/// What happens next.
#[derive(Debug)]
pub(super) enum Step {
    /// These bytes arrive.
    Send(Bytes),
    /// Nothing arrives.
    Pause(Duration),
    /// The connection breaks.
    Break,
}

/// The connection broke.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the connection was closed in mid-stream")]
pub(crate) struct Broken;

/// The body of an answer of the sandbox.
pub(crate) struct SandboxBody {
    steps: Box<dyn Iterator<Item = Step> + Send + Sync>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl fmt::Debug for SandboxBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxBody").finish_non_exhaustive()
    }
}

impl SandboxBody {
    pub(super) fn response(
        status: StatusCode,
        content_type: &'static str,
        steps: impl Iterator<Item = Step> + Send + Sync + 'static,
    ) -> Response<Self> {
        let mut response = Response::new(Self {
            steps: Box::new(steps),
            pause: None,
        });
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }

    /// A JSON answer.
    pub(super) fn json(body: &serde_json::Value) -> Response<Self> {
        let steps = std::iter::once(Step::Send(body.to_string().into()));
        Self::response(StatusCode::OK, "application/json", steps)
    }

    pub(super) fn failure(
        status: StatusCode,
        kind: &str,
        code: &str,
        message: &str,
    ) -> Response<Self> {
        let body = serde_json::json!({
            "error": {"message": message, "type": kind, "param": null, "code": code}
        });
        let steps = std::iter::once(Step::Send(body.to_string().into()));
        Self::response(status, "application/json", steps)
    }
}

impl Body for SandboxBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            if let Some(pause) = self.pause.as_mut() {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            match self.steps.next() {
                None => return Poll::Ready(None),
                Some(Step::Send(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Break) => return Poll::Ready(Some(Err(Broken))),
                Some(Step::Pause(time)) => self.pause = Some(Box::pin(tokio::time::sleep(time))),
            }
        }
    }
}
