//! Questions to providers about a key: small calls without a body, whose whole answer is read, within
//! bounds of bytes and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Request, Response, Uri, header};
use http_body::Body;
use http_body_util::BodyExt as _;
use keyward_egress::SendError;
use keyward_secret::Secret;

use super::{BodyError, Egress, JSON, USER_AGENT, show};
use crate::domain::request::UpstreamBody;
use crate::domain::wire::KeyHeader;
use crate::sandbox;

/// The largest answer that is read: the longest list of models known is half of it.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// How long an answer may take, connecting and reading together: somebody waits for it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a question goes.
#[derive(Debug)]
pub(crate) enum Question<'a> {
    /// To the sandbox, in process.
    Sandbox,
    /// To a provider.
    Http {
        /// Its address.
        url: &'a str,
        /// How the key is shown.
        header: KeyHeader,
        /// A header besides.
        besides: Option<(&'static str, &'static str)>,
        /// Whether the address is from the operator's settings, and so needs no guard.
        is_operators_address: bool,
    },
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// It was not reached.
    #[error(transparent)]
    Send(#[from] SendError),
    /// It broke off.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// It is larger than any that is read.
    #[error("the answer is larger than 1 MiB")]
    TooLarge,
    /// It took too long.
    #[error("no answer came in time")]
    TimedOut,
}

/// Asks with a key, and reads the answer: its status and its body.
pub(crate) async fn ask(
    egress: &Egress,
    question: Question<'_>,
    key: &Secret,
) -> Result<(u16, Bytes), AskError> {
    let asking = async {
        match question {
            Question::Sandbox => read(sandbox::about(key)).await,
            Question::Http {
                url,
                header,
                besides,
                is_operators_address,
            } => {
                let request = request(url, header, besides, key)?;
                read(egress.send(request, is_operators_address).await?).await
            }
        }
    };
    let asked = tokio::time::timeout(ANSWER_TIMEOUT, asking).await;
    asked.map_err(|_| AskError::TimedOut)?
}

fn request(
    url: &str,
    key_header: KeyHeader,
    besides: Option<(&'static str, &'static str)>,
    key: &Secret,
) -> Result<Request<UpstreamBody>, SendError> {
    let wrong = || SendError::Connect("the provider's address is not a URL".into());
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let mut request = Request::new(UpstreamBody::default());
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, JSON);
    headers.insert(header::USER_AGENT, USER_AGENT);
    if let Some((name, value)) = besides {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    show(headers, key_header, key)?;
    Ok(request)
}

async fn read<B>(response: Response<B>) -> Result<(u16, Bytes), AskError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError(Box::new(error)))?;
        if let Ok(bytes) = frame.into_data() {
            if all.len() + bytes.len() > ANSWER_BYTES_MAX {
                return Err(AskError::TooLarge);
            }
            all.extend_from_slice(&bytes);
        }
    }
    Ok((status, all.freeze()))
}
