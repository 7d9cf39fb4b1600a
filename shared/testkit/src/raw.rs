//! Bytes to the gateway that no client would send, over a plain socket.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// The longest that an answer may take.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends these bytes and reads what comes back until the other side closes or says nothing more.
///
/// The other side may answer and close before it has read everything; what it said counts.
pub fn exchange(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("the gateway listens");
    stream
        .set_read_timeout(Some(READ_TIMEOUT))
        .expect("a socket");
    stream
        .set_write_timeout(Some(READ_TIMEOUT))
        .expect("a socket");
    let mut reader = stream.try_clone().expect("a socket");
    let answer = std::thread::spawn(move || {
        let mut answer = Vec::new();
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            answer.extend_from_slice(&buffer[..count]);
        }
        answer
    });
    let _ = stream.write_all(bytes);
    let answer = answer.join().expect("the reading thread");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The statuses of all answers in what came back.
pub fn statuses(answers: &str) -> Vec<u16> {
    let lines = answers.split("HTTP/1.1 ").skip(1);
    lines
        .filter_map(|line| line.get(..3)?.parse().ok())
        .collect()
}
