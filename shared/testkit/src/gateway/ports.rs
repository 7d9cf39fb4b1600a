//! Free ports on loopback, below the range that the kernel hands out by itself, so that no outgoing
//! connection takes one between here and the gateway's own bind.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where looking starts, and how many ports are looked at.
const FIRST: u32 = 10_500;
const COUNT: u32 = 21_000;

/// How far apart test processes start to look, by their id.
const STRIDE: u32 = 263;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port that nobody listens on, and that this process has not handed out lately.
pub(crate) fn free() -> u16 {
    let start = std::process::id().wrapping_mul(STRIDE);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(step) % COUNT;
        let port = u16::try_from(port).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port on loopback");
}
