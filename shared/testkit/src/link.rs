//! A line to a service that can be cut: nothing passes then, and neither end is told.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A line. It ends when dropped, with all connections over it.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    is_cut: watch::Sender<bool>,
    stop: CancellationToken,
}

impl Link {
    /// A line to a URL's host and port.
    pub async fn to(url: &str) -> Self {
        let target = url.split("://").last().expect("a URL").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let (is_cut, stop) = (watch::Sender::new(false), CancellationToken::new());
        let (cut, stopping) = (is_cut.subscribe(), stop.clone());
        let tracker = TaskTracker::new();
        let connections = tracker.clone();
        tracker.spawn(async move {
            let accepting = async {
                while let Ok((near, _)) = listener.accept().await {
                    let carried = carry(near, target.clone(), cut.clone(), stopping.clone());
                    connections.spawn(carried);
                }
            };
            stopping.run_until_cancelled(accepting).await;
        });
        Self {
            address,
            is_cut,
            stop,
        }
    }

    /// The same URL, over this line.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    /// Lets nothing pass any more.
    pub fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Lets everything pass again, also what was held back.
    pub fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn carry(
    near: TcpStream,
    target: String,
    cut: watch::Receiver<bool>,
    stop: CancellationToken,
) {
    let Ok(far) = TcpStream::connect(target).await else {
        return;
    };
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let both = async {
        tokio::join!(
            copy(near_in, far_out, cut.clone()),
            copy(far_in, near_out, cut)
        );
    };
    stop.run_until_cancelled(both).await;
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut cut: watch::Receiver<bool>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if cut.wait_for(|is_cut| !is_cut).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
