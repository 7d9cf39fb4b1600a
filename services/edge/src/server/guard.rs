//! What stands between a socket and hyper: follows the framing of HTTP/1, refuses heads that could
//! be read in two ways, and bounds how long a head may take and a writer may be kept waiting.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::framing::{Fault, Framing, MALFORMED, Step};

/// How long a head may take from its first byte; for the first one, from the connection's begin.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a caller may leave an answer unread before the connection is cut.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_mins(1);

/// How long what a caller still sends is read and thrown away after the last answer: closing earlier
/// resets the connection, and the caller loses the answer that says why.
const LINGER: Duration = Duration::from_secs(2);

/// What one read may take at a head: larger than nearly all heads with a small body.
const READ_BYTES: usize = 8 * 1024;

/// A socket with a guard.
pub(crate) struct Guard<S> {
    inner: S,
    framing: Framing,
    /// Read, and not passed on.
    buffer: BytesMut,
    /// How many bytes at the buffer's front may be passed on.
    ready: usize,
    refused: bool,
    head: Timer,
    write: Timer,
    linger: Timer,
}

impl<S> Guard<S> {
    pub(crate) fn new(inner: S) -> Self {
        let mut guard = Self {
            inner,
            framing: Framing::new(),
            buffer: BytesMut::new(),
            ready: 0,
            refused: false,
            head: Timer::new(HEAD_TIMEOUT),
            write: Timer::new(WRITE_TIMEOUT),
            linger: Timer::new(LINGER),
        };
        guard.head.start();
        guard
    }

    /// Puts a head in place of one that is refused. hyper reads nothing after it.
    fn refuse(&mut self, fault: Fault) {
        let why = match fault {
            Fault::Ambiguous => "ambiguous",
            Fault::Malformed | Fault::BadChunk => "malformed",
            Fault::TooLarge => "too-large",
        };
        let head = format!(
            "POST / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n{MALFORMED}: {why}\r\n\r\n"
        );
        self.buffer.clear();
        self.buffer.extend_from_slice(head.as_bytes());
        self.ready = self.buffer.len();
        self.refused = true;
        self.head.stop();
    }

    fn hand_out(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.ready.min(buf.remaining());
        buf.put_slice(&self.buffer[..count]);
        self.buffer.advance(count);
        self.ready -= count;
    }
}

impl<S: AsyncRead + Unpin> Guard<S> {
    /// Reads within a body, without a copy; what follows the body is kept.
    fn poll_body(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buf))?;
        let fresh = &buf.filled()[before..];
        if fresh.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let passed = match self.framing.advance(fresh) {
            Step::Pass(count) => count,
            Step::More | Step::Refuse(_) => {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
        };
        self.buffer.extend_from_slice(&fresh[passed..]);
        buf.set_filled(before + passed);
        Poll::Ready(Ok(()))
    }

    /// Reads more of a head into the buffer; tells whether anything came.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut scratch = [MaybeUninit::uninit(); READ_BYTES];
        let mut read = ReadBuf::uninit(&mut scratch);
        if Pin::new(&mut self.inner)
            .poll_read(context, &mut read)?
            .is_pending()
        {
            if !self.buffer.is_empty() {
                self.head.start();
            }
            ready!(self.head.poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.buffer.extend_from_slice(read.filled());
        Poll::Ready(Ok(!read.filled().is_empty()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.ready > 0 {
                this.hand_out(buf);
                return Poll::Ready(Ok(()));
            }
            if this.refused {
                // Not the end of the input: hyper would take that for a caller who left.
                return Poll::Pending;
            }
            if !this.buffer.is_empty() {
                match this.framing.advance(&this.buffer) {
                    Step::Pass(count) => {
                        this.ready = count;
                        this.head.stop();
                        continue;
                    }
                    // hyper would find the same fault; a connection out of step has no answer.
                    Step::Refuse(Fault::BadChunk) => {
                        return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                    }
                    Step::Refuse(fault) => {
                        this.refuse(fault);
                        continue;
                    }
                    Step::More => {}
                }
            } else if !this.framing.at_head() {
                return this.poll_body(context, buf);
            }
            if !ready!(this.poll_head(context))? {
                if this.buffer.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                // The caller left within a head: hyper says what that means.
                this.framing.give_up();
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(context, bytes);
        this.write.bound(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write_vectored(context, slices);
        this.write.bound(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.inner).poll_shutdown(context))?;
        if this.framing.at_head() && !this.refused && this.buffer.is_empty() {
            return Poll::Ready(Ok(()));
        }
        this.linger.start();
        let mut scratch = [MaybeUninit::uninit(); READ_BYTES];
        while this.linger.poll(context).is_pending() {
            let mut read = ReadBuf::uninit(&mut scratch);
            let outcome = ready!(Pin::new(&mut this.inner).poll_read(context, &mut read));
            if outcome.is_err() || read.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A time-out that costs nothing until it is needed.
struct Timer {
    after: Duration,
    running: bool,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    fn new(after: Duration) -> Self {
        Self {
            after,
            running: false,
            sleep: None,
        }
    }

    fn start(&mut self) {
        if self.running {
            return;
        }
        self.running = true;
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(Instant::now() + self.after),
            None => self.sleep = Some(Box::pin(sleep(self.after))),
        }
    }

    fn stop(&mut self) {
        self.running = false;
    }

    /// Ready once the time is over; pending for ever if it does not run.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.sleep {
            Some(sleep) if self.running => sleep.as_mut().poll(context),
            _ => Poll::Pending,
        }
    }

    /// Bounds how long an outcome may be pending in a row.
    fn bound<T>(
        &mut self,
        outcome: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stop();
            return outcome;
        }
        self.start();
        ready!(self.poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests;
