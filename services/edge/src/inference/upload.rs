//! A request on its way to the router: a head, the body in chunks, an end.

use axum::body::Bytes;
use futures::stream::{self, Stream};
use keyward_proto::BODY_CHUNK_BYTES_MAX;
use keyward_proto::router::v1::invoke_request::Part;
use keyward_proto::router::v1::{InvokeRequest, InvokeRequestEnd, InvokeRequestHead};
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::server::BodyReader;

/// Tells why a body could not be read to its end. The router only sees that no end came.
pub(crate) type Fault = oneshot::Receiver<Failure>;

/// The stream for the router, and where a fault of the caller's body is told.
pub(crate) fn upload(
    head: InvokeRequestHead,
    body: BodyReader,
) -> (impl Stream<Item = InvokeRequest> + Send + 'static, Fault) {
    let (tell, fault) = oneshot::channel();
    let upload = Upload {
        next: Next::Head(Box::new(head)),
        body,
        rest: Bytes::new(),
        tell,
    };
    let stream = stream::unfold(Some(upload), |upload| async move {
        let (part, upload) = upload?.step().await?;
        Some((InvokeRequest { part: Some(part) }, upload))
    });
    (stream, fault)
}

struct Upload {
    next: Next,
    body: BodyReader,
    /// What was read and is too much for one chunk.
    rest: Bytes,
    tell: oneshot::Sender<Failure>,
}

enum Next {
    Head(Box<InvokeRequestHead>),
    Body,
}

impl Upload {
    /// The next part, and what is left after it; `None` where the body has a fault.
    async fn step(mut self) -> Option<(Part, Option<Self>)> {
        if let Next::Head(head) = std::mem::replace(&mut self.next, Next::Body) {
            return Some((Part::Head(*head), Some(self)));
        }
        if self.rest.is_empty() {
            match self.body.next().await {
                Ok(Some(data)) => self.rest = data,
                Ok(None) => return Some((Part::End(InvokeRequestEnd {}), None)),
                Err(failure) => {
                    // Nobody listens any more once the answer has begun.
                    let _ = self.tell.send(failure);
                    return None;
                }
            }
        }
        let chunk = self
            .rest
            .split_to(self.rest.len().min(BODY_CHUNK_BYTES_MAX));
        Some((Part::Chunk(chunk), Some(self)))
    }
}
