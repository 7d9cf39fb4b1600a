//! Answers of providers that compress although they are asked not to: read as if they had not, so that
//! nothing behind has to know of it.

use std::io::{self, Write as _};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::write::GzDecoder;
use http_body::{Body, Frame};

use super::BodyError;

/// How much is unzipped at once: a thousand times as much may come of it, and that is held.
const ZIPPED_BYTES: usize = 4 * 1024;

/// A body without its compression.
#[derive(Debug)]
pub(crate) struct Unzipped<B> {
    body: B,
    /// What has come and is not unzipped yet.
    zipped: Bytes,
    decoder: GzDecoder<Vec<u8>>,
    is_over: bool,
}

impl<B> Unzipped<B> {
    pub(super) fn new(body: B) -> Self {
        Self {
            body,
            zipped: Bytes::new(),
            decoder: GzDecoder::new(Vec::new()),
            is_over: false,
        }
    }

    /// What the next piece becomes; nothing while it is not known.
    fn unzip(&mut self) -> io::Result<Bytes> {
        let length = self.zipped.len().min(ZIPPED_BYTES);
        let piece = self.zipped.split_to(length);
        self.decoder.write_all(&piece)?;
        self.decoder.flush()?;
        Ok(mem::take(self.decoder.get_mut()).into())
    }

    /// What is left once nothing more comes; an error where more should have come.
    fn end(&mut self) -> io::Result<Bytes> {
        self.is_over = true;
        self.decoder.try_finish()?;
        Ok(mem::take(self.decoder.get_mut()).into())
    }
}

impl<B> Body for Unzipped<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        while !this.is_over {
            let unzipped = if this.zipped.is_empty() {
                match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                    Some(Ok(frame)) => {
                        this.zipped = frame.into_data().unwrap_or_default();
                        continue;
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(BodyError(Box::new(error))))),
                    None => this.end(),
                }
            } else {
                this.unzip()
            };
            match unzipped {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Err(error) => {
                    this.is_over = true;
                    return Poll::Ready(Some(Err(BodyError(Box::new(error)))));
                }
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use futures::stream;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    fn zipped(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    async fn read(zipped: &[u8], size: usize) -> Result<Vec<u8>, BodyError> {
        let chunks = zipped.chunks(size).map(Bytes::copy_from_slice);
        let frames = chunks.map(|chunk| Ok::<_, Infallible>(Frame::data(chunk)));
        let body = StreamBody::new(stream::iter(frames.collect::<Vec<_>>()));
        let read = Unzipped::new(body).collect().await?;
        Ok(read.to_bytes().into())
    }

    #[tokio::test]
    async fn what_was_zipped_comes_out_however_it_was_cut() {
        let text = b"data: one\n\n".repeat(3_000);
        let zipped = zipped(&text);
        for size in [1, 7, 4_096, zipped.len()] {
            assert_eq!(read(&zipped, size).await.unwrap(), text, "pieces of {size}");
        }
    }

    #[tokio::test]
    async fn what_is_cut_or_no_archive_is_an_error() {
        let zipped = zipped(b"one two three");
        assert!(read(&zipped[..zipped.len() - 5], 7).await.is_err());
        assert!(read(b"{\"a\":1}", 7).await.is_err());
    }
}
